"""Chinese addresses, from province to door, and company names."""

from __future__ import annotations

import re

from .model import Recognizer

__all__ = ["RECOGNIZERS"]

_N = r"(?:[0-9]{1,5}|[一二三四五六七八九十百零〇两]{1,5}|[甲乙丙丁])"
_MARK = r"(?:号楼|号院|号|弄|栋|幢|座|单元|楼|层|室|户|房|门|组|队|村)"
_DOOR = rf"(?:[ \t]?(?:{_N}|[A-Z][0-9]{{0,4}}|[0-9]{{1,4}}[A-Z])(?:[ \t]?[-之][ \t]?[0-9]{{1,5}})?[ \t]?{_MARK})"
_PROVINCES = "北京|上海|天津|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|陕西|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门"
_CITIES = "北京|上海|天津|重庆|广州|深圳|杭州|南京|苏州|武汉|成都|西安|郑州|长沙|沈阳|大连|青岛|济南|厦门|福州|宁波|无锡|合肥|南昌|昆明|贵阳|南宁|海口|太原|石家庄|哈尔滨|长春|兰州|银川|西宁|拉萨|乌鲁木齐|呼和浩特|东莞|佛山|珠海|中山|惠州|温州|嘉兴|绍兴|台州|金华|常州|徐州|南通|扬州|烟台|潍坊|洛阳|泉州|香港|澳门|台北|高雄"
_DISTRICTS = "东城|西城|朝阳|海淀|丰台|石景山|通州|昌平|大兴|顺义|房山|门头沟|黄浦|徐汇|长宁|静安|普陀|虹口|杨浦|浦东|闵行|宝山|嘉定|松江|青浦|奉贤|天河|越秀|海珠|荔湾|白云|番禺|黄埔|花都|增城|福田|罗湖|南山|宝安|龙岗|盐田|龙华|坪山|光明|西湖|上城|下城|拱墅|滨江|余杭|萧山|临平|钱塘|鼓楼|玄武|秦淮|建邺|栖霞|雨花台|江宁|浦口|六合|武侯|锦江|青羊|金牛|成华|龙泉驿|双流|温江|郫都|江岸|江汉|硚口|汉阳|武昌|青山|洪山|雁塔|碑林|莲湖|未央|新城|姑苏|吴中|相城|虎丘|渝中|江北|南岸|沙坪坝|九龙坡|和平|河西|南开|河东|红桥|岳麓|芙蓉|天心|开福|雨花|中原|二七|金水|管城|历下|市中|槐荫|天桥|历城|思明|湖里|台江|仓山|晋安"

_NAMES = f"{_PROVINCES}|{_CITIES}|{_DISTRICTS}"
# The look at the first character spares the engine most of the several hundred names.
_NAMED = re.compile(rf"(?=[{''.join(sorted({name[0] for name in _NAMES.split('|')}))}])(?:{_NAMES})")
_UNIT = re.compile(r"自治区|自治州|[省市区县镇乡]")
_ROAD = re.compile(
    r"大街|大道|街道|胡同|公路|[路街道巷弄村镇乡苑园庄里坊桥]|小区|花园|新村|广场|社区|大厦|中心|公寓|大学|学院|医院|关村"
)
# What may stand right before an address and is no part of it.
_LEAD = re.compile(
    r"(?:地址|住址|住在|家住|寄到|寄往|寄至|送到|送至|送达|收货地|户籍地|居住地|住所地|位于|搬到|来到|前往|发到|地点|取件|寄给|去|在|到|至|于|往|是|为|住|址)"
)
_WORD = re.compile(
    r"地址|住址|住在|家住|寄到|寄往|寄至|送到|送至|送达|收货|收件|快递|外卖|户籍|居住|住所|位于|搬到|上门|配送|取件|在$|到$|址$"
)
_RUN = re.compile(r"[\u4E00-\u9FFF0-9A-Z #-]{1,48}$")
_COMPANY_RUN = re.compile(r"[\u4E00-\u9FFF0-9A-Za-z()]{2,24}$")
_COMPANY_LEAD = re.compile(
    r"(?:就职于|任职于|供职于|入职|来自|加入|联系|公司|抬头|甲方|乙方|单位|我们|由|在|到|向|给|与|和|及|是|为|跟|从|的|了)"
)


def _place(text: str, begin: int, end: int) -> int:
    """Where the first place in [begin, end) begins, -1 without one: a known name, or up to three characters before a unit's name."""
    named = _NAMED.search(text, begin, end)
    unit = _UNIT.search(text, begin, end)
    if named is not None and (unit is None or named.start() <= unit.start()):
        return named.start()
    if unit is not None and unit.start() - begin >= 2:
        return max(begin, unit.start() - 3)
    return named.start() if named is not None else -1


def _address(text: str, start: int, end: int) -> tuple[int, int, float] | None:
    """From the doors in [start, end) leftwards to the place or street they belong to."""
    if start and text[start - 1] in "号栋幢座楼层室户房组弄":
        return None  # the doors began further left, and so does the address
    run = _RUN.search(text, max(0, start - 48), start)
    if run is None:
        return None
    begin = run.start()
    lead = _LEAD.search(text, begin, start)
    # A word like `在` leads to the address only where no place stands before it.
    if lead is not None and _place(text, begin, lead.start()) == begin:
        lead = None
    first = begin
    while lead is not None:
        first = lead.end()
        following = _LEAD.match(text, first, start)
        if following is None:
            break
        lead = following
    place = _place(text, first, start)
    road = _ROAD.search(text, begin, start)
    if place >= 0 and (road is not None or end - start >= 6):
        return place, end, 0.85 if road is not None else 0.55
    if road is None:
        return None
    if lead is None:
        first = max(begin, road.start() - 4)
    if road.end() - first < 2:
        return None
    while first < end and text[first] in " #-":
        first += 1
    named = _WORD.search(text, max(0, first - 16), first) is not None
    return first, end, 0.7 if named else 0.4


def _company(text: str, start: int, end: int) -> tuple[int, int, float] | None:
    """From a legal form in [start, end) leftwards to the beginning of the name."""
    run = _COMPANY_RUN.search(text, max(0, start - 24), start)
    if run is None:
        return None
    begin = run.start()
    for lead in _COMPANY_LEAD.finditer(text, begin, start):
        begin = lead.end()
    while begin < start and text[begin] == ")":
        begin += 1
    if start - begin < 2 or re.fullmatch(
        r"(?:该|本|此|贵|某|一家|这家|那家|各|外资|民营|国有|成立|注册)+", text[begin:start]
    ):
        return None
    return begin, end, 0.7


RECOGNIZERS = (
    Recognizer(
        entity="CN_ADDRESS",
        name="cn_address",
        category="place",
        before=r"(?<![0-9])",
        pattern=rf"{_DOOR}{{1,6}}(?:[0-9]{{3,4}}(?![0-9]))?",
        gates=(rf"[0-9一二三四五六七八九十百零〇两甲乙丙丁A-Z][ \t]?{_MARK}",),
        after=r"(?![0-9A-Za-z])",
        refine=_address,
        leftward=True,
        validated="doors that belong to a street, in a place or beside an address word",
        languages=("zh",),
        example="北京市朝阳区建国路88号3栋1202室",
        source="GB/T 23705",
    ),
    Recognizer(
        entity="CN_ADDRESS",
        name="cn_address_labelled",
        category="place",
        before="",
        pattern=r"(?:地址|住址|户籍所在地|户籍地|居住地)(?:是|为)?[ \t]?:?[ \t]?(?P<v>[\u4E00-\u9FFF]{2,8}?[省市区县镇乡村路街][\u4E00-\u9FFF0-9A-Z#-]{2,40})",
        gates=(r"地址|住址|户籍所在地|户籍地|居住地",),
        after="",
        score=0.65,
        languages=("zh",),
        example="住址:四川省凉山州喜德县光明镇阿吼村二组",
        source="GB/T 23705",
    ),
    Recognizer(
        entity="CN_COMPANY",
        name="cn_company",
        category="organization",
        before="",
        pattern=r"(?:有限责任公司|股份有限公司|集团有限公司|有限公司|集团公司|分公司|律师事务所|会计师事务所|合作社)",
        gates=(r"有限责任公司|有限公司|集团公司|分公司|师事务所|合作社",),
        after="",
        refine=_company,
        leftward=True,
        validated="name before the legal form",
        languages=("zh",),
        example="杭州云山科技有限公司",
        source="Company Law of the PRC, names",
    ),
)
