"""The held-out evaluation: makers, carriers, transforms, look-alikes and names that no pattern was tuned on.

Everything here was written before it was first run. Carriers, transforms, forms and sentences alternate between two
parts: the misses of part `a` may be looked at (`--verbose`), those of part `b` are never printed, so its figures stay
out of sample also after a correction.

Run: python benchmarks/redaction/heldout.py [--part a|b] [--count N] [--verbose]
"""

from __future__ import annotations

import argparse
import base64
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from heldout_values import chinese_name, draw
from lookalikes import fill

from cloister.privacy import Policy, Redactor

Transform = Callable[[str], str]
_Item = TypeVar("_Item")

ENGLISH = (
    "Hi team, the {w} on file is {v} - can you confirm?", "2024-05-17 09:12:44 INFO user.update {w}={v} ok",
    "{w}\t{v}\tactive", "> old {w}: {v}\n> please change it", "- {w}: {v}\n- status: open",
    "As agreed by phone yesterday I enclose my {w} ({v}) for your records.", '{"field": "{w}", "value": "{v}"}',
    "she sent me her {w}, {v}, by mistake", "<td>{w}</td><td>{v}</td>", "Q: what is the {w}?\nA: it's {v}.",
    "FORM 12b / {w} / {v} / signed", "Customer states that {w} {v} was used without permission.",
)  # fmt: skip
CHINESE = (
    "麻烦登记一下{w}{v}谢谢", "客户备注：{w}为{v}；请尽快处理", "【{w}】{v}", "{w} {v}\n状态 正常", "我把{w}发你：{v}，别外传",
    "经核实，其{w}（{v}）与系统记录一致。", "{w},{v},已审核", "收到，{w}是{v}对吧？", "申请表第三栏{w}填写{v}。", "{w}|{v}|有效",
)  # fmt: skip


def _digits(zero: int) -> Transform:
    table = {48 + i: chr(zero + i) for i in range(10)}
    return lambda v: v.translate(table)


def _between(mark: str) -> Transform:
    return lambda v: mark.join(v)


def _runs(separator: str) -> Transform:
    return lambda v: re.sub(r"[-. ]", separator, v) if re.search(r"[-. ]", v) else v


_NAMED = {"@": "&commat;", ".": "&period;", "-": "&hyphen;", " ": "&nbsp;", "/": "&sol;", ":": "&colon;"}
#: One layer; none of these is in transforms.py. The last table is for numbers in groups only.
ANY: dict[str, Transform] = {
    "Bengali digits": _digits(0x09E6), "Thai digits": _digits(0x0E50), "Khmer digits": _digits(0x17E0),
    "circled digits": lambda v: v.translate({48: "⓪"} | {49 + i: chr(0x2460 + i) for i in range(9)}),
    "double-struck digits": _digits(0x1D7D8), "superscript digits": lambda v: v.translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")),
    "left-to-right marks": _between("\u200e"), "byte order mark": lambda v: v[:4] + "\ufeff" + v[4:],
    "variation selectors": _between("\ufe0f"), "sans-serif letters": lambda v: "".join(
        chr(0x1D5A0 + ord(c) - 65) if "A" <= c <= "Z" else chr(0x1D5BA + ord(c) - 97) if "a" <= c <= "z" else c for c in v),
    "in guillemets": lambda v: f"«{v}»", "in Han brackets": lambda v: f"「{v}」号", "struck through": lambda v: f"~~{v}~~",
    "CSV field": lambda v: f';"{v}";', "assignment": lambda v: f"x={v};", "XML": lambda v: f"<n>{v}</n>",
    "percent, special characters only": lambda v: "".join(c if c.isalnum() else "".join(f"%{b:02x}" for b in c.encode()) for c in v),
    "HTML, named": lambda v: "".join(_NAMED.get(c, f"&#{ord(c)};" if c.isdigit() else c) for c in v),
    "escaped bytes": lambda v: "".join(f"\\x{b:02x}" for b in v.encode()), "URL-safe base64": lambda v: base64.urlsafe_b64encode(v.encode()).decode().rstrip("="),
    "data URI": lambda v: "data:text/plain;base64," + base64.b64encode(v.encode()).decode(), "hex, capitals": lambda v: v.encode().hex().upper(),
    "base64 of JSON": lambda v: base64.b64encode(f'{{"v":"{v}"}}'.encode()).decode(), "braced escapes": lambda v: "".join(f"\\u{{{ord(c):x}}}" for c in v),
}  # fmt: skip
GROUPS: dict[str, Transform] = {
    "figure dashes": _runs("\u2012"), "minus signs": _runs("\u2212"), "thin spaces": _runs("\u2009"),
    "underscores": _runs("_"), "double spaces": _runs("  "), "spaced hyphens": _runs(" - "),
}  # fmt: skip
_GROUPED = ("card", "iban", "ssn", "itin", "nhs", "nino", "phone cn", "phone international")
# Letters are part of these; folding them back is right, but a look-alike may be another value.
_EXACT = ("secret", "url", "bitcoin", "password", "wechat")

#: Forms as in lookalikes.py: d a digit, h a hexadecimal digit, U a capital letter.
LOOKALIKES = (
    ("en", "PO dddddddd was received in full."), ("en", "Your case ddddd-dddd is being reviewed."), ("en", "Lot L2dddd, best before 12/2031."),
    ("en", "It took dddd.ddd seconds over ddd runs."), ("en", "See RFC dddd and section d.d.d.d of it."), ("en", "build dddddd.dd of the nightly channel"),
    ("en", "The chip runs at d.ddd GHz with ddddd MB."), ("en", "UPC ddddddddddd on the box"), ("en", "Article no. ddd.ddd.dd from the catalogue"),
    ("en", "At 1dd.d kPa and -1d.dd degrees"), ("en", "doi 10.dddd/jdddd.2019.dddddd"), ("en", "arXiv 2dd1.ddddd was withdrawn"),
    ("en", "blob hhhhhhhhhhhh differs from hhhhhhhhhhhh"), ("en", "md5 hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"), ("en", "Reference UU-dddddd-UU applies"),
    ("en", "between 1dd,ddd and 2dd,ddd visitors in 20dd"), ("en", "The vote was ddd to ddd with dd abstentions."), ("en", "on 0d/1d/202d 1d:dd:dd the job restarted"),
    ("en", "Bus dd leaves platform d at 1d:2d."), ("en", "exit code ddd after dddddd ms"), ("en", "patent US dddddddd was granted"),
    ("en", "Form dddd-U must be attached."), ("en", "channel width ddd-ddd MHz"), ("en", "line dddd, column dd of file d.c"),
    ("zh", "采购单PO20240ddddd已入库。"), ("zh", "第ddd号文件于20dd年下发。"), ("zh", "耗时ddd.ddd秒,共dddd次。"), ("zh", "内存ddddd兆,主频d.d吉赫。"),
    ("zh", "股票代码60dddd今日涨停。"), ("zh", "邮编1ddddd。"), ("zh", "案号(2023)京0105民初ddddd号。"), ("zh", "生产批号L20ddddd。"),
    ("zh", "服务器日志第ddddddd行报错。"), ("zh", "降水量ddd.d毫米,风速d.d米每秒。"), ("zh", "全长dddd公里,海拔dddd米。"), ("zh", "票价ddd元,共dd张。"),
    ("zh", "考试成绩ddd分,排名第dd。"), ("zh", "G1ddd次列车晚点dd分钟。"), ("zh", "构建编号ddddddd已通过。"), ("zh", "库存SKU-dddddd-UU不足。"),
    ("zh", "参考文献[dd]第ddd-ddd页。"), ("zh", "汇率为d.dddd。"), ("zh", "彩票第20dd1dd期开奖。"), ("zh", "电压ddd伏,电流d.dd安。"),
    ("zh", "标准GB/T ddddd-20dd。"), ("zh", "提交hhhhhhhh已合并。"), ("zh", "用时1d分dd秒dd。"), ("zh", "会议室Bddd,座位dd排d号。"),
)  # fmt: skip
NAMED = (
    "{n}昨天没来上班。", "请{n}到前台领取包裹。", "会议由{n}主持。", "这份合同需要{n}签字。", "我和{n}约了下午三点。", "{n}的护照快过期了。",
    "患者{n},女,45岁。", "收款人：{n}", "据{n}介绍,项目进展顺利。", "{n}：好的,收到", "给{n}回个电话,号码13812345678", "尊敬的{n}女士：您好",
    "学生{n}的成绩单", "驾驶员{n}负全责。", "@{n} 你看一下", "客户{n}投诉物流太慢",
)  # fmt: skip
NAME_FREE = (
    "明天高温预警,请注意防暑。", "这款软件支持多种格式。", "马拉松比赛将于周日举行。", "孙悟空的故事家喻户晓。", "方案已经提交审批。", "何时能收到退款?",
    "白菜价格持续走低。", "张开双臂拥抱未来。", "任务完成后请打卡。", "金属材料成本上涨。", "陈旧设备需要更换。", "高速公路已恢复通行。",
    "周三下午全员大扫除。", "江边的风景很美。", "黄色预警已解除。", "关于放假的通知。", "许多用户反馈闪退。", "安装步骤如下。",
    "林区禁止吸烟。", "石头剪刀布。", "严禁酒后驾车。", "万里长城永不倒。", "钱不是问题。", "温馨提示:请带好证件。",
    "龙年大吉大利。", "丁香花开了。", "水费已代扣成功。", "雷阵雨转多云。", "田间管理要跟上。", "曾经的回忆。",
    "请问洗手间在哪里?", "谢谢您的耐心等待。", "司机正在赶来。", "经理不在办公室。", "老师让我们预习课文。", "医生说要按时吃药。",
    "客服电话无人接听。", "联系人信息不完整。", "姓名不能为空。", "收件人拒收包裹。", "同事们都下班了。", "王国的边境很安宁。",
    "毛衣洗缩水了。", "夏令营开始报名。", "段落之间要空一行。", "史书记载了这场战争。", "左转后直行两百米。", "季度报表已生成。",
    "贺卡寄出去了。", "常见问题解答。", "熊熊大火被扑灭。", "古城墙保存完好。", "成年人需谨慎。", "时刻保持警惕。",
    "平均分是八十五。", "和平是主流。", "包装破损可拒收。", "路面结冰请慢行。", "花园里开满了玫瑰。", "武术比赛精彩纷呈。",
)  # fmt: skip
_EVERYTHING = 'name = "everything"\ndefault = "replace"'
_STRUCTURED = f'{_EVERYTHING}\n[category]\nperson = "keep"\norganization = "keep"'


def half(items: Sequence[_Item], part: str) -> list[_Item]:
    """The part's half of a list."""
    return list(items[0 if part == "a" else 1 :: 2])


def main() -> None:
    """Print the figures of one part or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("a", "b"), help="one part only")
    parser.add_argument("--count", type=int, default=20, help="values of each kind")
    parser.add_argument("--verbose", action="store_true", help="print what is missed, of part a only")
    options = parser.parse_args()
    for part in (options.part,) if options.part else ("a", "b"):
        sys.stdout.write(f"\n| held out, part {part} | texts | found |\n|---|---|---|\n")
        show = options.verbose and part == "a"
        _recall(part, options.count, show)
        _alarms(part, show)
        _names(part, show)


def _recall(part: str, count: int, show: bool) -> None:
    redactor = Redactor(Policy.parse(_EVERYTHING), tagger=None)
    carriers = [("en", c) for c in half(ENGLISH, part)] + [("zh", c) for c in half(CHINESE, part)]
    tried: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    r = random.Random(f"held out {part}")
    for entity, name, value, english, chinese in draw(count, 1 if part == "a" else 2):
        forms = {"plain": value} | {key: ANY[key](value) for key in half(sorted(ANY), part)}
        if name in _EXACT:
            forms.pop("sans-serif letters", None)
        if name in _GROUPED:
            forms |= {key: GROUPS[key](value) for key in half(sorted(GROUPS), part)}
        encodings = [key for key in ANY if "base64" in key or "escape" in key or "HTML" in key or "hex" in key]
        forms["two layers"] = ANY[r.choice(encodings)](ANY[r.choice(encodings)](value))
        usable = [c for c in carriers if (english if c[0] == "en" else chinese)]
        for key, written in forms.items():
            language, carrier = r.choice(usable)
            word = r.choice(english if language == "en" else chinese)
            before, after = carrier.replace("{w}", word).split("{v}")
            text, start, end = before + written + after, len(before), len(before) + len(written)
            spans = redactor.redact(text, language).spans
            good = any(s.entity == entity and s.start < end and start < s.end for s in spans)
            layer = key if key in ("plain", "two layers") else "one layer"
            for group in (layer, f"{name}, plain" if key == "plain" else f"{name}, hidden", f"transform {key}"):
                tried[group] += 1
                hit[group] += good
            if show and not good:
                sys.stdout.write(
                    f"missed {name} {key}: {text!r} {[(s.entity, text[s.start : s.end]) for s in spans]}\n"
                )
    for layer in ("plain", "one layer", "two layers"):
        sys.stdout.write(f"| {layer} | {tried[layer]} | {hit[layer] / tried[layer]:.4f} |\n")
    for group in sorted((g for g in tried if "," in g), key=lambda g: hit[g] / tried[g]):
        if hit[group] / tried[group] < (0.99 if group.endswith("plain") else 0.98):
            sys.stdout.write(f"| {group} | {tried[group]} | {hit[group] / tried[group]:.3f} |\n")
    for group in sorted((g for g in tried if g.startswith("transform")), key=lambda g: hit[g] / tried[g]):
        if hit[group] / tried[group] < 0.98:
            sys.stdout.write(f"| {group} | {tried[group]} | {hit[group] / tried[group]:.3f} |\n")


def _alarms(part: str, show: bool) -> None:
    redactor = Redactor(Policy.parse(_STRUCTURED), tagger=None)
    r = random.Random(f"look-alikes {part}")
    texts = [(language, fill(r, form)) for language, form in half(LOOKALIKES, part) for _ in range(20)]
    forms: dict[str, Transform] = {"plain": lambda v: v} | {k: ANY[k] for k in half(sorted(ANY), part)}
    for name, make in forms.items():
        alarms = 0
        for language, text in texts:
            spans = redactor.redact(make(text), language).spans
            alarms += bool(spans)
            if show and spans:
                sys.stdout.write(
                    f"alarm {name}: {[(s.entity, make(text)[s.start : s.end][:50]) for s in spans]} in {text!r}\n"
                )
        if name == "plain" or alarms:
            sys.stdout.write(f"| look-alikes with a span, {name} | {len(texts)} | {alarms / len(texts):.4f} |\n")


def _names(part: str, show: bool) -> None:
    redactor = Redactor(Policy.parse('name = "names"\n[category]\nperson = "replace"'), tagger=None)
    r = random.Random(f"names {part}")
    found = tried = 0
    for template in half(NAMED, part):
        for _ in range(20):
            name = chinese_name(r)
            text = template.replace("{n}", name)
            at = text.index(name)
            good = any(s.start < at + len(name) and at < s.end for s in redactor.redact(text, "zh").spans)
            tried, found = tried + 1, found + good
            if show and not good:
                sys.stdout.write(f"missed name: {text}\n")
    sys.stdout.write(f"| Chinese names | {tried} | {found / tried:.4f} |\n")
    free = half(NAME_FREE, part)
    named = [text for text in free if redactor.redact(text, "zh").spans]
    if show:
        sys.stdout.write("".join(f"named: {text}\n" for text in named))
    sys.stdout.write(f"| name-free Chinese sentences with a name | {len(free)} | {len(named) / len(free):.4f} |\n")


if __name__ == "__main__":
    main()
