"""Made-up values of every structured entity, valid by their check digits, from a seed. They belong to nobody."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from stdnum import iban as iban_module
from stdnum import luhn
from stdnum.cn import uscc as uscc_module
from stdnum.iso7064 import mod_11_2

__all__ = ["CARRIERS", "GENERATORS", "carrier", "values"]

Maker = Callable[[random.Random], str]
_CARDS = (
    ("4", 16),
    ("51", 16),
    ("55", 16),
    ("2221", 16),
    ("2700", 16),
    ("34", 15),
    ("37", 15),
    ("6011", 16),
    ("65", 16),
    ("3530", 16),
    ("6225", 16),
    ("6217", 19),
    ("36", 14),
)
_BBAN = {
    "DE": "n18",
    "FR": "n10a11n2",
    "ES": "n20",
    "NL": "u4n10",
    "GB": "u4n14",
    "BE": "n12",
    "AT": "n16",
    "PT": "n21",
    "CH": "n17",
    "PL": "n24",
}


def _n(r: random.Random, count: int) -> str:
    return "".join(r.choice(string.digits) for _ in range(count))


def _u(r: random.Random, count: int, alphabet: str = string.ascii_uppercase) -> str:
    return "".join(r.choice(alphabet) for _ in range(count))


def card(r: random.Random) -> str:
    prefix, length = r.choice(_CARDS)
    body = prefix + _n(r, length - len(prefix) - 1)
    return body + luhn.calc_check_digit(body)


def iban(r: random.Random) -> str:
    while True:
        country = r.choice(sorted(_BBAN))
        kinds, bban, index = _BBAN[country], "", 0
        while index < len(kinds):
            kind, stop = kinds[index], index + 1
            while stop < len(kinds) and kinds[stop].isdigit():
                stop += 1
            count = int(kinds[index + 1 : stop])
            bban += _n(r, count) if kind == "n" else _u(r, count, string.ascii_uppercase)
            index = stop
        number = country + iban_module.calc_check_digits(country + "00" + bban) + bban
        # Some countries check their national part too; those that fail are drawn again.
        if iban_module.is_valid(number):
            return number


def ssn(r: random.Random) -> str:
    area = r.choice([n for n in range(1, 899) if n != 666])
    return f"{area:03d}-{r.randint(1, 99):02d}-{r.randint(1, 9999):04d}"


def itin(r: random.Random) -> str:
    return f"9{_n(r, 2)}-{r.choice([*range(70, 89), 90, 91, 92, *range(94, 100)])}-{_n(r, 4)}"


def email(r: random.Random) -> str:
    return f"{_u(r, r.randint(3, 8), string.ascii_lowercase)}.{_u(r, 5, string.ascii_lowercase)}{r.randint(1, 99)}@{_u(r, 7, string.ascii_lowercase)}.{r.choice(['com', 'org', 'net', 'co.uk', 'de', 'cn'])}"  # noqa: E501


def phone_us(r: random.Random) -> str:
    return f"{r.randint(2, 9)}{r.randint(0, 8)}{r.randint(1, 9)}-{r.randint(2, 9)}{_n(r, 2)}-{_n(r, 4)}"


def phone_world(r: random.Random) -> str:
    return r.choice(
        [
            f"+44 20 7{_n(r, 3)} {_n(r, 4)}",
            f"+49 30 {r.randint(2, 9)}{_n(r, 7)}",
            f"+33 1 4{_n(r, 1)} {_n(r, 2)} {_n(r, 2)} {_n(r, 2)}",
            f"+61 4{_n(r, 2)} {_n(r, 3)} {_n(r, 3)}",
        ]
    )


def phone_cn(r: random.Random) -> str:
    return f"1{r.randint(3, 9)}{_n(r, 9)}"


def ipv4(r: random.Random) -> str:
    return ".".join(str(r.randint(1, 254)) for _ in range(4))


def ipv6(r: random.Random) -> str:
    return "2001:db8:" + ":".join(f"{r.randint(4096, 65535):x}" for _ in range(6))


def mac(r: random.Random) -> str:
    return ":".join(f"{r.randint(0, 255):02X}" for _ in range(6))


def resident(r: random.Random) -> str:
    body = f"{r.choice(['110105', '310101', '440305', '510104', '330106'])}{r.randint(1950, 2005)}{r.randint(1, 12):02d}{r.randint(1, 28):02d}{_n(r, 3)}"  # noqa: E501
    return body + mod_11_2.calc_check_digit(body)


def uscc(r: random.Random) -> str:
    body = f"91{r.choice(['110000', '310000', '440300', '330100'])}MA{_u(r, 7, '0123456789ABCDEFGHJKLMNPQRTUWXY')}"
    return body + uscc_module.calc_check_digit(body)


def plate(r: random.Random) -> str:
    return (
        r.choice("京沪粤浙苏川鲁湘")
        + r.choice("ABCDEFGH")
        + r.choice([f"{_n(r, 2)}{_u(r, 1, 'ABCDEFGH')}{_n(r, 2)}", _n(r, 5), f"D{_n(r, 5)}"])
    )


def hkid(r: random.Random) -> str:
    letter, body = r.choice(string.ascii_uppercase), _n(r, 6)
    total = 36 * 9 + (ord(letter) - 55) * 8 + sum(int(d) * w for d, w in zip(body, range(7, 1, -1), strict=True))
    return f"{letter}{body}({'0123456789A'[-total % 11]})"


def taiwan(r: random.Random) -> str:
    letter = r.choice("ABCDEFGH")
    code = 10 + "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(letter)
    body = r.choice("12") + _n(r, 7)
    total = code // 10 + code % 10 * 9 + sum(int(d) * w for d, w in zip(body, (8, 7, 6, 5, 4, 3, 2, 1), strict=True))
    return f"{letter}{body}{-total % 10}"


def imei(r: random.Random) -> str:
    body = "35" + _n(r, 12)
    return body + luhn.calc_check_digit(body)


def nhs(r: random.Random) -> str:
    while True:
        body = r.choice("4567") + _n(r, 8)
        check = 11 - sum(int(d) * w for d, w in zip(body, range(10, 1, -1), strict=True)) % 11
        if check < 11 and check != 10:
            number = f"{body}{check}"
            return f"{number[:3]} {number[3:6]} {number[6:]}"
        if check == 11:
            number = f"{body}0"
            return f"{number[:3]} {number[3:6]} {number[6:]}"


def nino(r: random.Random) -> str:
    return f"{r.choice('ABCEHJ')}{r.choice('ABCEHJ')}{_n(r, 6)}{r.choice('ABCD')}"


def aba(r: random.Random) -> str:
    body = r.choice(["02", "11", "12", "21", "31"]) + _n(r, 6)
    check = -sum(int(d) * w for d, w in zip(body, (3, 7, 1, 3, 7, 1, 3, 7), strict=True)) % 10
    return f"{body}{check}"


def cn_passport(r: random.Random) -> str:
    return r.choice("EG") + _n(r, 8)


def us_passport(r: random.Random) -> str:
    return r.choice("ABCD") + _n(r, 8)


def license_us(r: random.Random) -> str:
    return r.choice(string.ascii_uppercase) + _n(r, 8)


def vin(r: random.Random) -> str:
    return "WVW" + _u(r, 5, "ABCDEFGHJKLMNPRSTUVWXYZ") + _n(r, 1) + _u(r, 2, "ABCDEFGHJK") + _n(r, 6)


def coordinates(r: random.Random) -> str:
    return f"{r.uniform(-89, 89):.5f}, {r.uniform(-179, 179):.5f}"


def ethereum(r: random.Random) -> str:
    return "0x" + _u(r, 40, "0123456789abcdef")


def secret(r: random.Random) -> str:
    return r.choice(
        [
            "ghp_" + _u(r, 36, string.ascii_letters + string.digits),
            "AKIA" + _u(r, 16, string.ascii_uppercase + "234567"),
            "glpat-" + _u(r, 20, string.ascii_letters + string.digits),
        ]
    )


def dob(r: random.Random) -> str:
    return f"{r.randint(1940, 2010)}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}"


def url(r: random.Random) -> str:
    return f"https://{_u(r, 8, string.ascii_lowercase)}.example.org/u/{_n(r, 5)}"


def bic(r: random.Random) -> str:
    return f"{_u(r, 4)}{r.choice(['DE', 'FR', 'GB', 'CN', 'US'])}{_u(r, 2, 'ABCFHKM23')}{r.choice(['', 'XXX'])}"


def bank_us(r: random.Random) -> str:
    return _n(r, r.randint(10, 12))


def permit(r: random.Random) -> str:
    return r.choice("HM") + _n(r, 10)


def wechat(r: random.Random) -> str:
    return f"{_u(r, 6, string.ascii_lowercase)}_{_n(r, 4)}"


def qq(r: random.Random) -> str:
    return r.choice("123456789") + _n(r, r.randint(7, 9))


def military(r: random.Random) -> str:
    return f"{r.choice('军兵士')}字第{_n(r, 8)}号"


def social(r: random.Random) -> str:
    return r.choice("ABCDE") + _n(r, 8)


def password(r: random.Random) -> str:
    return (
        f"{_u(r, 4, string.ascii_letters)}{r.choice('!#.')}{_u(r, 6, string.ascii_letters + string.digits)}{_n(r, 2)}"
    )


def private_key(r: random.Random) -> str:
    return f"-----BEGIN PRIVATE KEY-----{_u(r, 64, string.ascii_letters + string.digits)}-----END PRIVATE KEY-----"


#: Entity, maker, words that stand before the value in English and in Chinese.
GENERATORS: tuple[tuple[str, str, Maker, str, str], ...] = (
    ("CREDIT_CARD", "card", card, "card", "银行卡"),
    ("IBAN_CODE", "iban", iban, "IBAN", "账号"),
    ("US_SSN", "ssn", ssn, "SSN", "社安号"),
    ("US_ITIN", "itin", itin, "ITIN", "税号 ITIN"),
    ("EMAIL_ADDRESS", "email", email, "mail", "邮箱"),
    ("PHONE_NUMBER", "phone_us", phone_us, "phone", "电话"),
    ("PHONE_NUMBER", "phone_world", phone_world, "phone", "电话"),
    ("PHONE_NUMBER", "phone_cn", phone_cn, "mobile", "手机"),
    ("IP_ADDRESS", "ipv4", ipv4, "IP", "IP 地址"),
    ("IP_ADDRESS", "ipv6", ipv6, "IP", "IP 地址"),
    ("MAC_ADDRESS", "mac", mac, "MAC", "网卡地址"),
    ("CN_RESIDENT_ID", "resident", resident, "ID", "身份证"),
    ("CN_SOCIAL_CREDIT_CODE", "uscc", uscc, "credit code", "统一社会信用代码"),
    ("CN_LICENSE_PLATE", "plate", plate, "plate", "车牌"),
    ("HK_ID_CARD", "hkid", hkid, "HKID", "香港身份证"),
    ("TW_NATIONAL_ID", "taiwan", taiwan, "national ID", "身分證字號"),
    ("IMEI", "imei", imei, "IMEI", "IMEI"),
    ("UK_NHS", "nhs", nhs, "NHS number", "NHS"),
    ("UK_NINO", "nino", nino, "national insurance", "national insurance"),
    ("ABA_ROUTING_NUMBER", "aba", aba, "routing number", "路由号码"),
    ("CN_PASSPORT", "cn_passport", cn_passport, "passport", "护照"),
    ("US_DRIVER_LICENSE", "license_us", license_us, "driver's license", "驾照"),
    ("VEHICLE_ID", "vin", vin, "VIN", "车架号"),
    ("COORDINATES", "coordinates", coordinates, "location", "坐标"),
    ("CRYPTO", "ethereum", ethereum, "wallet", "钱包"),
    ("SECRET", "secret", secret, "token", "令牌"),
    ("DATE_OF_BIRTH", "dob", dob, "date of birth", "出生日期"),
    ("URL", "url", url, "see", "见"),
    ("US_PASSPORT", "us_passport", us_passport, "passport number", ""),
    ("US_BANK_NUMBER", "bank_us", bank_us, "account number", "银行账号"),
    ("SWIFT_BIC", "bic", bic, "SWIFT code", "SWIFT 代码"),
    ("CN_TRAVEL_PERMIT", "permit", permit, "travel permit", "回乡证"),
    ("CN_WECHAT_ID", "wechat", wechat, "WeChat", "微信号"),
    ("CN_QQ", "qq", qq, "QQ", "QQ"),
    ("CN_MILITARY_ID", "military", military, "military ID", "军官证"),
    ("CN_SOCIAL_SECURITY", "social", social, "", "社保卡号"),
    ("PASSWORD", "password", password, "password", "密码"),
    ("PRIVATE_KEY", "private_key", private_key, "key", "私钥"),
)  # fmt: skip

CARRIERS = (
    ("en", "Please note that my {word} is {value} and nothing else."),
    ("en", "{word}: {value}"),
    ("zh", "您好,我的{word}是{value},请查收。"),
    ("zh", "{word}：{value}"),
)


def carrier(index: int, english: str, chinese: str, value: str) -> tuple[str, str, int]:
    """Language, text and offset of the value in it."""
    language, form = CARRIERS[index % len(CARRIERS)]
    if not (english if language == "en" else chinese):
        language, form = CARRIERS[(index + 2) % len(CARRIERS)]
    word = english if language == "en" else chinese
    before, after = form.replace("{word}", word).split("{value}")
    return language, before + value + after, len(before)


def values(count: int, seed: int = 5) -> list[tuple[str, str, str, str, str]]:
    """`count` values of each generator: entity, maker's name, value, English word, Chinese word."""
    out = []
    for entity, name, make, english, chinese in GENERATORS:
        r = random.Random(f"{seed}{name}")
        out += [(entity, name, make(r), english, chinese) for _ in range(count)]
    return out
