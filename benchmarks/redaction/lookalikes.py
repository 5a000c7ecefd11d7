"""Numbers that look personal and are not: how many of them get a structured span, plain and under each transform.

Run: python benchmarks/redaction/lookalikes.py [--count N] [--verbose]
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter

from transforms import ENCODINGS, FORMS

from cloister.privacy import Policy, Redactor

#: Forms with {n:…} parts: d digit, h hexadecimal digit, U capital letter.
ENGLISH = (
    "Your order number is dddddddddd, thank you.",
    "Order #ddd-ddddddd-ddddddd has shipped.",
    "Order ID: 2024-dddddd-dd",
    "Tracking number 1Zhhhhhhhhhhhhhhhh is on its way.",
    "The timestamp 17dddddddd is in seconds.",
    "It happened at 2024-03-1d 14:2d:3d UTC.",
    "Version 3.1d.2.dd was released today.",
    "Upgrade to version 1d.2.d.d of the driver.",
    "The total price is $1,d7d.99 before tax.",
    "They paid EUR 1d.ddd,50 for it.",
    "ISBN 978-0-ddd-ddddd-d is out of print.",
    "Commit hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh broke the build.",
    "sha256 hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh",
    "The box measures 1dd x 2dd x 3dd mm.",
    "Pi is 3.14159265dddddd to many digits.",
    "Part number UU-dddd-ddd is in stock.",
    "Invoice INV-2024-ddddd is due.",
    "Ticket UUU-ddddd was closed.",
    "The population was dd,ddd,ddd in 2020.",
    "Flight UUdddd departs from gate Bdd.",
    "Request id hhhhhhhh-hhhh-4hhh-ahhh-hhhhhhhhhhhh failed.",
    "Pages ddd-ddd of volume dd.",
    "The score was 1d2-9d after overtime.",
    "Serial number UUdddddddd is registered to the warehouse.",
    "Room temperature was 2d.d degrees at d:30.",
)
CHINESE = (
    "您的订单号是dddddddddddd,已发货。",
    "订单编号:2024dddddddddd",
    "快递单号SFdddddddddddd已签收。",
    "运单号YTdddddddddddddd",
    "时间戳17dddddddd表示秒。",
    "会议于2024年3月1d日14:3d开始。",
    "请升级到版本3.1d.2.dd。",
    "版本号1d.0.d.d已发布。",
    "总价为¥1,d7d.99元。",
    "国际书号978-7-ddd-ddddd-d。",
    "提交hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh修复了问题。",
    "尺寸为1dd×2dd×3dd毫米。",
    "发票号dddddddd已开具。",
    "流水号2024ddddddddddddd。",
    "商品条码69ddddddddddd",
    "人口约为dd,ddd,ddd人。",
    "请求号hhhhhhhh-hhhh-4hhh-ahhh-hhhhhhhhhhhh超时。",
    "航班UUdddd将于登机口Bdd登机。",
    "第ddd页至第ddd页。",
    "比分是1d2比9d。",
    "批次号20240dddd合格。",
    "圆周率约为3.14159265dddddd。",
    "工单编号UU-ddddd已关闭。",
    "型号UU-ddddU有货。",
    "温度为2d.d度,湿度4d%。",
)
#: Chinese sentences without any name.
NAME_FREE = (
    "今天天气很好,适合出门散步。", "请在下午三点前提交报告。", "这家餐厅的服务态度非常好。", "系统升级后运行速度明显提高。", "我们需要重新讨论一下方案。",  # noqa: E501
    "高铁票已经卖完了,只能坐飞机。", "这本书讲述了一个感人的故事。", "请大家保持安静,会议马上开始。", "孩子们在操场上开心地玩耍。", "公司计划明年扩大生产规模。",  # noqa: E501
    "金融市场近期波动较大。", "他们正在研究新的治疗方法。", "周末我打算去爬山。", "请把文件发到公共邮箱。", "这个项目的预算已经批准。",  # noqa: E501
    "江南的春天总是让人流连忘返。", "学校将于九月一日开学。", "请注意保管好随身物品。", "用户可以在设置中修改密码。", "客户反馈产品质量有所提升。",  # noqa: E501
    "联系客服可以查询物流信息。", "负责人将在会后回答问题。", "医生建议多喝水多休息。", "老师布置了很多作业。", "车主应定期检查轮胎。",  # noqa: E501
    "申请人需要提供相关材料。", "通知全体员工明天放假。", "感谢大家一直以来的支持。", "帮我订一张去上海的机票。", "告诉他们会议改到下午了。",  # noqa: E501
    "万一下雨就改期举行。", "任何人不得入内。", "方便的话请回个电话。", "平时多锻炼身体。", "成功需要坚持不懈的努力。",
    "时间不早了,该回家了。", "黄金价格再创新高。", "白云机场今天大雾。", "安全生产责任重大。", "路上注意安全。",
    "文明出行从我做起。", "石油价格下跌了百分之三。", "常用药品请放在阴凉处。", "严格遵守操作规程。", "项目进展顺利。",
    "温度过高会影响设备运行。", "武汉的热干面很有名。", "苏州园林举世闻名。", "程序运行时出现错误。", "付款成功后不支持退款。",  # noqa: E501
    "华为发布了新款手机。", "应用商店里可以下载。", "康复训练需要循序渐进。", "包裹将在三天内送达。", "连接网络后自动更新。",  # noqa: E501
    "夏天的夜晚很凉爽。", "余额不足请及时充值。", "牛奶要放进冰箱。", "熊猫是国家一级保护动物。", "游客请在此排队。",
    "说明书上写得很清楚。", "我是新来的实习生。", "他是一名优秀的工程师。", "她叫了一份外卖。", "本人同意上述条款。",
    "同学们请安静,上课了。", "朋友推荐了这部电影。", "经理正在开会。", "司机师傅请靠边停车。", "记者采访了当地居民。",
    "家属请在外面等候。", "患者需要空腹抽血。", "乘客请系好安全带。", "会员可享受九折优惠。", "请核对信息后再付款。",
    "那个红色的杯子是谁的?", "找到问题的根源很重要。", "确认收货后五天内可评价。", "邀请函已经发出。", "作者在书中提出了新观点。",  # noqa: E501
)  # fmt: skip


def fill(r: random.Random, form: str) -> str:
    """A form with its parts drawn; letters inside words stay."""
    out = []
    for index, character in enumerate(form):
        near = form[max(0, index - 1) : index] + form[index + 1 : index + 2]
        if character == "d" and not any(c.isalpha() and c not in "dhU" for c in near if c.isascii()):
            out.append(r.choice("0123456789"))
        elif character == "h" and not any(c.isalpha() and c not in "dh" for c in near if c.isascii()):
            out.append(r.choice("0123456789abcdef"))
        elif character == "U" and (
            form[index + 1 : index + 2] in ("U", "-", "d") or form[index - 1 : index] in ("U", "d")
        ):
            out.append(r.choice("ABCDEFGHKMNPRSTUVWX"))
        else:
            out.append(character)
    return "".join(out)


def suite(count: int, seed: int = 11) -> list[tuple[str, str]]:
    """Language and text, `count` of each form."""
    r = random.Random(seed)
    forms = [("en", form) for form in ENGLISH] + [("zh", form) for form in CHINESE]
    return [(language, fill(r, form)) for language, form in forms for _ in range(count)]


def main() -> None:
    """Print the share of look-alikes with a span, by transform, and of name-free sentences with a name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10, help="texts of each form")
    parser.add_argument("--verbose", action="store_true", help="print what is found")
    options = parser.parse_args()
    redactor = Redactor(
        Policy.parse('name = "structured"\ndefault = "replace"\n[category]\nperson = "keep"\norganization = "keep"'),
        tagger=None,
    )
    texts = suite(options.count)
    forms = {"plain": lambda v: v} | FORMS | ENCODINGS
    alarms: Counter[str] = Counter()
    for language, text in texts:
        for name, make in forms.items():
            written = make(text)
            spans = redactor.redact(written, language).spans
            alarms[name] += bool(spans)
            if options.verbose and spans:
                sys.stdout.write(f"{name}: {[(s.entity, written[s.start : s.end][:60]) for s in spans]} in {text!r}\n")
    for name in forms:
        sys.stdout.write(f"| {name} | {len(texts)} | {alarms[name] / len(texts):.4f} |\n")
    people = Redactor(Policy.parse('name = "names"\n[category]\nperson = "replace"'), tagger=None)
    named = [text for text in NAME_FREE if people.redact(text, "zh").spans]
    sys.stdout.write(f"| name-free Chinese | {len(NAME_FREE)} | {len(named) / len(NAME_FREE):.4f} |\n")
    if options.verbose:
        sys.stdout.write("".join(f"named: {text}\n" for text in named))


if __name__ == "__main__":
    main()
