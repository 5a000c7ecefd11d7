"""Values of the held-out evaluation: other makers, ranges and ways of writing than `values.py`, from other seeds.

Valid by their check digits (python-stdnum computes them, phonenumbers draws the telephones); they belong to nobody.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from functools import cache

import phonenumbers
from stdnum import iban as iban_module
from stdnum import luhn
from stdnum.cn import uscc as uscc_module
from stdnum.iso7064 import mod_11_2

__all__ = ["KINDS", "chinese_name", "draw"]

Maker = Callable[[random.Random], str]
_LOWER, _UPPER, _DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
_TOKEN = string.ascii_letters + _DIGITS


def _pick(r: random.Random, alphabet: str, count: int) -> str:
    return "".join(r.choices(alphabet, k=count))


def _pattern(r: random.Random, form: str) -> str:
    """`9` a digit, `A` a capital letter, `a` a small one; anything else stands for itself."""
    kinds = {"9": _DIGITS, "A": _UPPER, "a": _LOWER}
    return "".join(r.choice(kinds[c]) if c in kinds else c for c in form)


def card(r: random.Random) -> str:
    prefix, length = r.choice(
        [("40", 16), ("4917", 13), ("52", 16), ("2300", 16), ("2650", 16), ("3411", 15), ("3799", 15), ("6011", 16),
         ("649", 16), ("3589", 16), ("6222", 16), ("6228", 19), ("6250", 17), ("3056", 14), ("38", 14), ("5018", 16)]
    )  # fmt: skip
    body = prefix + _pick(r, _DIGITS, length - len(prefix) - 1)
    number = body + luhn.calc_check_digit(body)
    if length == 16:
        mark = r.choice(["", " ", "-"])
        return mark.join(number[i : i + 4] for i in range(0, 16, 4))
    if length == 15 and r.random() < 0.5:
        return f"{number[:4]} {number[4:10]} {number[10:]}"
    return number


def iban(r: random.Random) -> str:
    forms = {
        "AT": "9" * 16, "BE": "9" * 12, "CH": "9" * 17, "CZ": "9" * 20, "DE": "9" * 18, "DK": "9" * 14, "EE": "9" * 16,
        "FI": "9" * 14, "GR": "9" * 23, "HU": "9" * 24, "IE": "AAAA" + "9" * 14, "LT": "9" * 16, "LV": "AAAA" + "9" * 13,
        "MT": "AAAA" + "9" * 23, "NL": "AAAA" + "9" * 10, "NO": "9" * 11, "RO": "AAAA" + "9" * 16, "SE": "9" * 20,
        "SI": "9" * 15, "SK": "9" * 20, "TR": "9" * 22, "AE": "9" * 19, "SA": "9" * 20, "GB": "AAAA" + "9" * 14,
    }  # fmt: skip
    while True:
        country = r.choice(sorted(forms))
        body = _pattern(r, forms[country])
        number = country + iban_module.calc_check_digits(country + "00" + body) + body
        if iban_module.is_valid(number):
            return number if r.random() < 0.4 else " ".join(number[i : i + 4] for i in range(0, len(number), 4))


def email(r: random.Random) -> str:
    names = [
        "ioana",
        "m.keller",
        "tomasz_w",
        "o'brien",
        "li.wei",
        "j-p.durand",
        "svc+billing",
        "x",
        "anneke1984",
        "R.Patel",
    ]
    hosts = ["mail", "corp.intra", "uni-graz", "post", "acme-tools", "a1"]
    ends = ["example.com", "example.net", "example.ac.uk", "example.com.cn", "example.io", "example.museum"]
    return f"{r.choice(names)}{r.choice(['', _pick(r, _DIGITS, 2)])}@{r.choice(hosts)}.{r.choice(ends)}"


@cache
def _regions() -> tuple[str, ...]:
    return ("US", "GB", "DE", "FR", "IT", "ES", "NL", "BE", "AT", "CH", "SE", "NO", "FI", "DK", "PL", "CZ", "PT", "IE", "GR", "HU", "RO", "BG", "JP", "KR", "IN", "SG", "AU", "NZ", "BR", "MX", "AR", "CL", "ZA", "EG", "NG", "KE", "IL", "TR", "SA", "AE", "TH", "VN", "ID", "PH", "MY", "HK", "TW", "UA")  # fmt: skip


def _telephone(r: random.Random) -> phonenumbers.PhoneNumber:
    types = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    while True:
        example = phonenumbers.example_number_for_type(r.choice(_regions()), r.choice(types))
        if example is None:
            continue
        number = str(example.national_number)
        keep = max(3, len(number) - 5)
        drawn = phonenumbers.PhoneNumber(
            country_code=example.country_code,
            national_number=int(number[:keep] + _pick(r, _DIGITS, len(number) - keep)),
            italian_leading_zero=example.italian_leading_zero,
        )
        if phonenumbers.is_valid_number(drawn):
            return drawn


def phone_international(r: random.Random) -> str:
    forms = phonenumbers.PhoneNumberFormat
    return str(phonenumbers.format_number(_telephone(r), r.choice([forms.E164, forms.INTERNATIONAL])))


def phone_national(r: random.Random) -> str:
    return str(phonenumbers.format_number(_telephone(r), phonenumbers.PhoneNumberFormat.NATIONAL))


def phone_cn(r: random.Random) -> str:
    number = r.choice(["130", "147", "155", "166", "173", "189", "198"]) + _pick(r, _DIGITS, 8)
    return r.choice(
        [
            number,
            f"{number[:3]} {number[3:7]} {number[7:]}",
            f"{number[:3]}-{number[3:7]}-{number[7:]}",
            f"+86 {number}",
        ]
    )


def landline_cn(r: random.Random) -> str:
    area = r.choice(["010", "021", "0571", "0755", "028"])
    number = r.choice("2568") + _pick(r, _DIGITS, 7)
    return r.choice([f"{area}-{number}", f"({area}){number}", f"{area} {number[:4]} {number[4:]}"])


def ssn(r: random.Random) -> str:
    number = f"{r.choice([n for n in range(100, 890) if n != 666])}{r.randint(11, 99)}{r.randint(1000, 9999)}"
    return r.choice([f"{number[:3]}-{number[3:5]}-{number[5:]}", f"{number[:3]} {number[3:5]} {number[5:]}", number])


def itin(r: random.Random) -> str:
    return f"9{_pick(r, _DIGITS, 2)}-{r.choice([71, 80, 85, 88, 90, 94, 99])}-{_pick(r, _DIGITS, 4)}"


def ipv4(r: random.Random) -> str:
    address = ".".join(str(r.randint(0 if i else 11, 255)) for i in range(4))
    return address + r.choice(["", "", "/24", "/32"])


def ipv6(r: random.Random) -> str:
    groups = [f"{r.randint(1, 65535):x}" for _ in range(8)]
    return r.choice([":".join(groups), f"fe80::{':'.join(groups[:4])}", f"2a02:{groups[0]}::{groups[1]}"])


def mac(r: random.Random) -> str:
    number = _pick(r, "0123456789ABCDEF", 12)
    pairs = [number[i : i + 2] for i in range(0, 12, 2)]
    return r.choice(["-".join(pairs), ":".join(pairs).lower(), f"{number[:4]}.{number[4:8]}.{number[8:]}".lower()])


def resident(r: random.Random) -> str:
    area = r.choice(["120101", "210203", "320506", "350102", "370202", "420106", "500103", "610113", "650102"])
    body = f"{area}{r.randint(1938, 2012)}{r.randint(1, 12):02d}{r.randint(1, 28):02d}{_pick(r, _DIGITS, 3)}"
    number = body + mod_11_2.calc_check_digit(body)
    return number.lower() if r.random() < 0.2 else number


def uscc(r: random.Random) -> str:
    body = (
        f"{r.choice(['91', '92', '93', '12', '51', '52'])}{r.choice(['120101', '320500', '370202', '420106'])}"
        + _pick(r, "0123456789ABCDEFGHJKLMNPQRTUWXY", 9)
    )
    number = body + uscc_module.calc_check_digit(body)
    return number if any(c.isalpha() for c in number) else uscc(r)


def plate(r: random.Random) -> str:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    body = r.choice(["99999", "A9999", "99A99", "999A9", "D99999", "F99999", "99999D"])
    tail = "".join(r.choice(_DIGITS if c == "9" else letters if c == "A" else c) for c in body)
    return r.choice("冀晋辽吉黑皖赣豫鄂桂贵陕甘渝津") + r.choice(letters[:12]) + r.choice(["", "", "·"]) + tail


def hkid(r: random.Random) -> str:
    letters = r.choice([_pick(r, _UPPER, 1), _pick(r, "WXYZ", 1) + _pick(r, _UPPER, 1)])
    body = _pick(r, _DIGITS, 6)
    values = [36, ord(letters) - 55] if len(letters) == 1 else [ord(c) - 55 for c in letters]
    total = sum(v * w for v, w in zip([*values, *map(int, body)], range(9, 1, -1), strict=True))
    return f"{letters}{body}({'0123456789A'[-total % 11]})"


def taiwan(r: random.Random) -> str:
    letter = r.choice("FHJKMNPQRTUVX")
    code = 10 + "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(letter)
    body = r.choice("12") + _pick(r, _DIGITS, 7)
    total = code // 10 + code % 10 * 9 + sum(int(d) * w for d, w in zip(body, (8, 7, 6, 5, 4, 3, 2, 1), strict=True))
    return f"{letter}{body}{-total % 10}"


def imei(r: random.Random) -> str:
    body = r.choice(["01", "86", "99", "45"]) + _pick(r, _DIGITS, 12)
    number = body + luhn.calc_check_digit(body)
    return r.choice([number, f"{number[:2]}-{number[2:8]}-{number[8:14]}-{number[14]}"])


def nhs(r: random.Random) -> str:
    while True:
        body = _pick(r, "456789", 1) + _pick(r, _DIGITS, 8)
        check = -sum(int(d) * w for d, w in zip(body, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            number = f"{body}{check}"
            return r.choice(
                [number, f"{number[:3]} {number[3:6]} {number[6:]}", f"{number[:3]}-{number[3:6]}-{number[6:]}"]
            )


def nino(r: random.Random) -> str:
    number = _pattern(r, r.choice(["LM", "PR", "SX", "WK", "YZ", "TH"]) + "999999") + r.choice("ABCD")
    return r.choice([number, f"{number[:2]} {number[2:4]} {number[4:6]} {number[6:8]} {number[8]}"])


def aba(r: random.Random) -> str:
    body = r.choice(["01", "03", "04", "05", "07", "09", "26", "32"]) + _pick(r, _DIGITS, 6)
    return f"{body}{-sum(int(d) * w for d, w in zip(body, (3, 7, 1, 3, 7, 1, 3, 7), strict=True)) % 10}"


def bic(r: random.Random) -> str:
    return (
        _pick(r, _UPPER, 4)
        + r.choice(["DE", "FR", "GB", "CN", "US", "NL"])
        + r.choice(["FF", "2L", "33", "MM"])
        + r.choice(["", "XXX", "500"])
    )


def bitcoin(r: random.Random) -> str:
    import hashlib

    payload = b"\x00" + r.randbytes(20)
    data = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    alphabet, number, out = (
        "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
        int.from_bytes(data, "big"),
        "",
    )
    while number:
        number, rest = divmod(number, 58)
        out = alphabet[rest] + out
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + out


def cn_passport(r: random.Random) -> str:
    return r.choice(
        [_pattern(r, "E99999999"), "E" + r.choice("ABCDFGHJ") + _pick(r, _DIGITS, 7), _pattern(r, "G99999999")]
    )


def cn_permit(r: random.Random) -> str:
    return r.choice("HMC") + _pick(r, _DIGITS, 8) + r.choice(["", "00", "01"] if r.random() < 0.5 else [""])


def us_license(r: random.Random) -> str:
    return r.choice(
        [_pattern(r, "A9999999"), _pattern(r, "A999999999999"), _pattern(r, "A99-99-9999"), _pattern(r, "AA999999")]
    )


def vin(r: random.Random) -> str:
    values = dict(
        zip(
            "ABCDEFGHJKLMNPRSTUVWXYZ",
            (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9),
            strict=True,
        )
    )
    values |= {d: int(d) for d in _DIGITS}
    body = r.choice(["1FT", "2HG", "JTD", "5YJ", "KMH"]) + _pick(r, "ABCDEFGHJKLMNPRSTUVWXYZ0123456789", 5)
    rest = (
        _pick(r, "ABCDEFGHJKLMNPRSTVWXY123456789", 1)
        + _pick(r, _UPPER.translate({73: None, 79: None, 81: None}), 1)
        + _pick(r, _DIGITS, 6)
    )
    total = sum(
        values[c] * w
        for c, w in zip(body + "0" + rest, (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2), strict=True)
    )
    return body + "0123456789X"[total % 11] + rest


def coordinates(r: random.Random) -> str:
    return f"{r.uniform(-85, 85):.{r.randint(4, 7)}f},{r.choice(['', ' '])}{r.uniform(-175, 175):.{r.randint(4, 7)}f}"


def secret(r: random.Random) -> str:
    return r.choice(
        [
            "github_pat_" + _pick(r, _TOKEN, 22) + "_" + _pick(r, _TOKEN, 59), "ASIA" + _pick(r, _UPPER + "234567", 16),
            "xoxb-" + _pick(r, _DIGITS, 12) + "-" + _pick(r, _DIGITS, 12) + "-" + _pick(r, _TOKEN, 24),
            "sk_live_" + _pick(r, _TOKEN, 24), "npm_" + _pick(r, _TOKEN, 36), "AIzaSy" + _pick(r, _TOKEN, 33),
            "SG." + _pick(r, _TOKEN, 22) + "." + _pick(r, _TOKEN, 43), "hf_" + _pick(r, string.ascii_letters, 34),
        ]
    )  # fmt: skip


def born(r: random.Random) -> str:
    year, month, day = r.randint(1931, 2015), r.randint(1, 12), r.randint(1, 28)
    name = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ][month - 1]
    return r.choice(
        [
            f"{day:02d}/{month:02d}/{year}",
            f"{day} {name} {year}",
            f"{name} {day}, {year}",
            f"{year}年{month}月{day}日",
            f"{day:02d}.{month:02d}.{year}",
        ]
    )


def url(r: random.Random) -> str:
    return r.choice(
        [f"http://{_pick(r, _LOWER, 6)}.example.net:8080/a/{_pick(r, _TOKEN, 6)}?id={_pick(r, _DIGITS, 4)}#top",
         f"https://{_pick(r, _LOWER, 5)}-{_pick(r, _LOWER, 4)}.example.io/{_pick(r, _LOWER, 7)}.html",
         f"www.{_pick(r, _LOWER, 9)}.com/{_pick(r, _LOWER, 4)}"]
    )  # fmt: skip


def password(r: random.Random) -> str:
    return (
        r.choice(["Falcon", "winter", "Kq9", "blau", "Tr"])
        + r.choice("!#_-.")
        + _pick(r, _TOKEN, 5)
        + _pick(r, _DIGITS, 2)
    )


def wechat(r: random.Random) -> str:
    return _pick(r, _LOWER, r.randint(3, 8)) + r.choice(["_", "-", ""]) + _pick(r, _DIGITS, r.randint(3, 6))


def qq(r: random.Random) -> str:
    return r.choice("123456789") + _pick(r, _DIGITS, r.randint(5, 9))


def bank_us(r: random.Random) -> str:
    return _pick(r, _DIGITS, r.randint(9, 13))


def social_cn(r: random.Random) -> str:
    return r.choice([_pattern(r, "A99999999"), _pick(r, _DIGITS, 10), _pick(r, _DIGITS, 12)])


def street(r: random.Random) -> str:
    name = r.choice(["Maple", "Harcourt", "St. James", "Old Mill", "Bayview", "Fifth", "Queens", "MacArthur"])
    kind = r.choice(["Street", "Ave", "Road", "Lane", "Boulevard", "Drive", "Court", "Terrace"])
    return f"{r.randint(1, 9999)} {name} {kind}{r.choice(['', ', Suite 210', ', Apt 4B', ', Springfield, IL 62704'])}"


def address_cn(r: random.Random) -> str:
    head = r.choice(
        [
            "上海市浦东新区张杨路",
            "广东省佛山市南海区桂澜北路",
            "成都市武侯区天府大道中段",
            "江苏省昆山市玉山镇前进东路",
            "武汉市洪山区珞喻路",
            "西安市雁塔区科技六路",
        ]
    )
    return f"{head}{r.randint(1, 999)}号{r.choice(['', f'{r.randint(1, 30)}栋{r.randint(101, 2909)}室', f'{r.randint(1, 9)}单元{r.randint(101, 909)}'])}"


def chinese_name(r: random.Random) -> str:
    surname = r.choice(["王", "李", "张", "刘", "陈", "杨", "黄", "吴", "赵", "周", "徐", "孙", "马", "朱", "胡", "林", "郭", "何", "高", "罗", "郑", "梁", "谢", "宋", "唐", "许", "邓", "冯", "韩", "曹", "欧阳", "诸葛", "司马", "上官"])  # fmt: skip
    given = r.choice(["建国", "秀英", "浩然", "梓涵", "雨桐", "志强", "淑华", "子轩", "丽娜", "文博", "晓明", "思远", "佳怡", "海燕", "国栋", "婷婷", "磊", "静", "鹏飞", "玉兰", "一诺", "宇航", "欣妍", "伟", "敏", "春梅"])  # fmt: skip
    return surname + given


#: Entity, maker's name, maker, words before the value in English and in Chinese; an empty word: not in that language.
KINDS: tuple[tuple[str, str, Maker, tuple[str, ...], tuple[str, ...]], ...] = (
    ("CREDIT_CARD", "card", card, ("credit card", "Visa", "card number"), ("信用卡", "卡号", "银行卡号")),
    ("IBAN_CODE", "iban", iban, ("IBAN", "bank account", "account"), ("IBAN", "收款账号")),
    ("EMAIL_ADDRESS", "email", email, ("e-mail", "contact", "inbox"), ("邮箱", "电子邮件")),
    ("PHONE_NUMBER", "phone international", phone_international, ("phone", "mobile", "tel."), ("电话", "联系电话")),
    ("PHONE_NUMBER", "phone national", phone_national, ("phone", "cell", "telephone number"), ("电话", "联系电话")),
    ("PHONE_NUMBER", "phone cn", phone_cn, ("mobile", "phone"), ("手机号", "电话")),
    ("PHONE_NUMBER", "landline cn", landline_cn, ("office phone", "tel"), ("座机", "公司电话")),
    ("US_SSN", "ssn", ssn, ("SSN", "social security number"), ("社会安全号", "SSN")),
    ("US_ITIN", "itin", itin, ("ITIN", "taxpayer number"), ("ITIN", "ITIN")),
    ("IP_ADDRESS", "ipv4", ipv4, ("IP address", "host", "client"), ("IP", "服务器地址")),
    ("IP_ADDRESS", "ipv6", ipv6, ("IPv6", "address"), ("IPv6", "地址")),
    ("MAC_ADDRESS", "mac", mac, ("MAC", "hardware address"), ("MAC", "物理地址")),
    ("CN_RESIDENT_ID", "resident", resident, ("Chinese ID", "identity number"), ("身份证号", "证件号码")),
    ("CN_SOCIAL_CREDIT_CODE", "uscc", uscc, ("credit code", "company code"), ("统一社会信用代码", "信用代码")),
    ("CN_LICENSE_PLATE", "plate", plate, ("plate", "car"), ("车牌号", "车辆")),
    ("HK_ID_CARD", "hkid", hkid, ("HKID", "Hong Kong ID"), ("香港身份证", "身份证号码")),
    ("TW_NATIONAL_ID", "taiwan", taiwan, ("Taiwan ID", "national ID"), ("身分證字號", "台湾身份证")),
    ("IMEI", "imei", imei, ("IMEI", "handset IMEI"), ("IMEI", "手机串号")),
    ("UK_NHS", "nhs", nhs, ("NHS number", "NHS no."), ("NHS", "NHS number")),
    ("UK_NINO", "nino", nino, ("national insurance number", "NI number"), ("NINO", "National Insurance")),
    ("ABA_ROUTING_NUMBER", "aba", aba, ("routing number", "ABA"), ("路由号码", "ABA")),
    ("SWIFT_BIC", "bic", bic, ("SWIFT", "BIC"), ("SWIFT代码", "BIC")),
    ("CRYPTO", "bitcoin", bitcoin, ("wallet", "BTC address"), ("钱包地址", "比特币地址")),
    ("CN_PASSPORT", "cn passport", cn_passport, ("passport number", "passport"), ("护照号", "护照")),
    ("CN_TRAVEL_PERMIT", "cn permit", cn_permit, ("travel permit", "permit"), ("回乡证号", "港澳通行证")),
    ("US_DRIVER_LICENSE", "us license", us_license, ("driver's license", "driver license no."), ("驾照", "驾照")),
    ("VEHICLE_ID", "vin", vin, ("VIN", "chassis number"), ("车架号", "车辆识别代号")),
    ("COORDINATES", "coordinates", coordinates, ("location", "GPS"), ("坐标", "定位")),
    ("SECRET", "secret", secret, ("key", "token"), ("令牌", "密钥")),
    ("DATE_OF_BIRTH", "born", born, ("date of birth", "DOB", "birthday"), ("出生日期", "生日")),
    ("URL", "url", url, ("link", "page"), ("网址", "链接")),
    ("PASSWORD", "password", password, ("password", "Passwort: password"), ("密码", "登录密码")),
    ("CN_WECHAT_ID", "wechat", wechat, ("WeChat", "wechat id"), ("微信", "微信号")),
    ("CN_QQ", "qq", qq, ("QQ", "qq number"), ("QQ", "QQ号")),
    ("US_BANK_NUMBER", "bank us", bank_us, ("account number", "checking account"), ("银行账号", "账号")),
    ("CN_SOCIAL_SECURITY", "social cn", social_cn, (), ("社保号", "社保卡号")),
    ("STREET_ADDRESS", "street", street, ("address", "lives at"), ()),
    ("CN_ADDRESS", "address cn", address_cn, (), ("地址", "收货地址")),
)  # fmt: skip


def draw(count: int, seed: int) -> list[tuple[str, str, str, tuple[str, ...], tuple[str, ...]]]:
    """`count` values of every kind: entity, maker's name, value, English words, Chinese words."""
    out = []
    for entity, name, make, english, chinese in KINDS:
        r = random.Random(f"held out {seed} {name}")
        out += [(entity, name, make(r), english, chinese) for _ in range(count)]
    return out
