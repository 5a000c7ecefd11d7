"""What the slots of the Chinese templates are filled with: persons, places, organizations, dates, and plain values."""

# ruff: noqa: E501 - tables of words, and chance that no secret hangs on

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from faker import Faker

from .chinese_words import COMPOUND, SURNAMES, given_characters, given_names, simplified, words

__all__ = ["LABELS", "Part", "Slots", "name_part"]

_T = TypeVar("_T")
Part = Literal["train", "validation", "test"]

LABELS = {
    "person": "PERSON",
    "han": "PERSON",
    "given": "PERSON",
    "surname": "PERSON",
    "nick": "PERSON",
    "foreign": "PERSON",
    "minority": "PERSON",
    "latin": "PERSON",
    "address": "ADDRESS",
    "city": "LOCATION",
    "province": "LOCATION",
    "place": "LOCATION",
    "company": "ORGANIZATION",
    "org": "ORGANIZATION",
    "date": "DATE_TIME",
    "time": "DATE_TIME",
}
"""Entity of each slot; a slot that is not here is no entity."""

_PROVINCES = [
    "北京市",
    "上海市",
    "天津市",
    "重庆市",
    "河北省",
    "山西省",
    "辽宁省",
    "吉林省",
    "黑龙江省",
    "江苏省",
    "浙江省",
    "安徽省",
    "福建省",
    "江西省",
    "山东省",
    "河南省",
    "湖北省",
    "湖南省",
    "广东省",
    "海南省",
    "四川省",
    "贵州省",
    "云南省",
    "陕西省",
    "甘肃省",
    "青海省",
    "内蒙古自治区",
    "广西壮族自治区",
    "西藏自治区",
    "宁夏回族自治区",
    "新疆维吾尔自治区",
    "广东",
    "四川",
    "河南",
    "山东",
    "江苏",
    "浙江",
    "湖南",
    "湖北",
    "云南",
    "贵州",
    "福建",
    "安徽",
    "河北",
    "陕西",
    "辽宁",
    "江西",
    "新疆",
    "内蒙古",
    "广西",
    "黑龙江",
]
_CITIES = [
    "北京",
    "上海",
    "天津",
    "重庆",
    "广州",
    "深圳",
    "杭州",
    "南京",
    "苏州",
    "武汉",
    "成都",
    "西安",
    "郑州",
    "长沙",
    "沈阳",
    "大连",
    "青岛",
    "济南",
    "厦门",
    "福州",
    "宁波",
    "无锡",
    "合肥",
    "南昌",
    "昆明",
    "贵阳",
    "南宁",
    "海口",
    "太原",
    "石家庄",
    "哈尔滨",
    "长春",
    "兰州",
    "银川",
    "西宁",
    "拉萨",
    "乌鲁木齐",
    "呼和浩特",
    "东莞",
    "佛山",
    "珠海",
    "中山",
    "惠州",
    "温州",
    "嘉兴",
    "绍兴",
    "金华",
    "常州",
    "徐州",
    "南通",
    "扬州",
    "烟台",
    "潍坊",
    "洛阳",
    "泉州",
    "香港",
    "澳门",
    "日本",
    "美国",
    "英国",
    "法国",
    "德国",
    "韩国",
    "泰国",
    "新加坡",
    "东京",
    "纽约",
    "伦敦",
    "巴黎",
    "开封",
    "宜昌",
    "绵阳",
    "遵义",
    "桂林",
    "三亚",
    "大理",
    "丽江",
    "喀什",
    "敦煌",
    "延安",
    "保定",
    "唐山",
    "秦皇岛",
    "大同",
    "包头",
    "鞍山",
    "吉林",
    "大庆",
    "镇江",
    "湖州",
    "芜湖",
    "九江",
    "赣州",
    "淄博",
    "临沂",
    "襄阳",
    "岳阳",
    "湛江",
]
_CITIES_TW = [
    "台北",
    "臺北市",
    "新北市",
    "桃園",
    "台中",
    "臺中市",
    "台南",
    "高雄",
    "高雄市",
    "基隆",
    "新竹",
    "嘉義",
    "屏東",
    "花蓮",
    "台東",
    "宜蘭",
    "苗栗",
    "彰化",
    "南投",
    "雲林",
    "澎湖",
    "板橋",
    "淡水",
    "中壢",
    "日本",
    "東京",
    "大阪",
    "香港",
    "美國",
    "韓國",
]
_ROAD = ["路", "路", "路", "街", "街", "大道", "巷", "弄", "大街", "东路", "西路", "南路", "北路", "中路"]
_HOME = ["小区", "花园", "家园", "苑", "新村", "公寓", "大厦", "广场", "名都", "华府", "湾", "公馆", "里", "中心"]
_TRADE = [
    "科技",
    "信息技术",
    "网络科技",
    "贸易",
    "商贸",
    "实业",
    "投资",
    "物流",
    "建筑工程",
    "房地产",
    "食品",
    "医药",
    "电子",
    "机械",
    "文化传媒",
    "教育咨询",
    "餐饮管理",
    "保险代理",
    "汽车服务",
    "环保",
    "化工",
    "纺织",
    "服饰",
    "农业",
    "能源",
    "软件",
]
_FORM = ["有限公司", "有限公司", "有限责任公司", "股份有限公司", "集团", "公司", "分公司", "厂", "工作室"]
_BODY = [
    "大学",
    "学院",
    "第一中学",
    "实验小学",
    "中学",
    "幼儿园",
    "人民医院",
    "第一医院",
    "中心医院",
    "中医院",
    "妇幼保健院",
    "口腔诊所",
    "人民法院",
    "中级人民法院",
    "人民检察院",
    "公安局",
    "派出所",
    "税务局",
    "教育局",
    "卫生健康委员会",
    "财政局",
    "市场监督管理局",
    "街道办事处",
    "居民委员会",
    "支行",
    "分行",
    "律师事务所",
    "会计师事务所",
    "社会保障局",
    "交警大队",
    "图书馆",
    "商会",
    "协会",
    "研究所",
]
_BODY_TW = [
    "大學",
    "高中",
    "國小",
    "國中",
    "醫院",
    "榮民總醫院",
    "地方法院",
    "警察局",
    "分局",
    "區公所",
    "國稅局",
    "衛生局",
    "教育局",
    "分行",
    "律師事務所",
    "協會",
    "研究院",
]
_BANKS = [
    "中国银行",
    "工商银行",
    "建设银行",
    "农业银行",
    "招商银行",
    "交通银行",
    "邮政储蓄银行",
    "平安银行",
    "民生银行",
    "中国移动",
    "国家电网",
    "人民日报",
    "新华社",
    "清华大学",
    "北京大学",
    "复旦大学",
    "腾讯",
    "阿里巴巴",
    "华为",
    "百度",
    "京东",
    "字节跳动",
    "小米",
    "美团",
]
_SOUND = "阿艾尔古丽买提木拉力克汗江热依不都吾布迪努尼亚娜再娅库扎巴哈沙吉米孜别肯达乌斯卡玛旦扎西次仁多杰德平措央金索朗罗图逊麦合帕夏"
_MINORITY = [
    "买买提",
    "艾力",
    "阿不都拉",
    "古丽娜",
    "热依汗",
    "吐尔逊",
    "努尔江",
    "阿依古丽",
    "玉素甫",
    "艾尔肯",
    "依明",
    "卡德尔",
    "帕提曼",
    "亚森",
    "扎西",
    "次仁",
    "多吉",
    "卓玛",
    "央金",
    "平措",
    "格桑",
    "旺堆",
    "巴特尔",
    "其木格",
    "乌云",
    "娜仁",
    "哈斯",
    "那日苏",
    "苏和",
    "阿米娜",
    "木沙",
    "沙吉达",
    "阿布来提",
    "迪丽拜尔",
    "库尔班",
    "赛买提",
    "热合曼",
    "麦麦提",
    "艾孜再",
    "塔依尔",
]
_FOREIGN = [
    "约翰",
    "史密斯",
    "玛丽",
    "琼斯",
    "迈克尔",
    "布朗",
    "安娜",
    "彼得罗夫",
    "大卫",
    "威廉姆斯",
    "伊丽莎白",
    "泰勒",
    "罗伯特",
    "米勒",
    "卡洛斯",
    "加西亚",
    "索菲亚",
    "穆勒",
    "亚历山大",
    "伊万诺夫",
    "詹姆斯",
    "威尔逊",
    "克里斯蒂娜",
    "费尔南德斯",
    "皮埃尔",
    "杜邦",
    "汉斯",
    "施密特",
    "凯瑟琳",
    "安德森",
    "托马斯",
    "杰克逊",
    "埃里克",
    "约翰逊",
    "朱莉娅",
    "罗西",
    "马丁",
    "洛佩兹",
    "丹尼尔",
    "马丁内斯",
    "艾米莉",
    "克拉克",
    "奥利维亚",
    "霍夫曼",
    "卢卡斯",
    "席尔瓦",
    "弗拉基米尔",
    "库兹涅佐夫",
    "萨拉",
    "穆罕默德",
    "阿里",
    "拉杰什",
    "库马尔",
]
_SYLLABLE = "尔斯克特德里拉马罗维卡尼巴沙布莱森顿林恩莫伯格曼夫娜亚丽达贝托帕诺萨菲奥埃伊乔杰迈汉"
_LATIN = [
    "John",
    "Mary",
    "Michael",
    "Anna",
    "David",
    "Lucy",
    "Tom",
    "Jack",
    "Kevin",
    "Amy",
    "Peter",
    "Lily",
    "Emma",
    "Jason",
    "Vivian",
    "Tony",
    "Grace",
    "Leo",
    "Nancy",
    "Alex",
    "Kelly",
    "Sam",
    "Cindy",
    "Eric",
    "Alice",
    "Mark",
    "Sophia",
    "Henry",
    "Daniel",
    "Jessica",
    "Andy",
    "Helen",
]
_LATIN_LAST = [
    "Smith",
    "Wang",
    "Li",
    "Zhang",
    "Chen",
    "Liu",
    "Brown",
    "Johnson",
    "Lee",
    "Wilson",
    "Miller",
    "Zhao",
    "Huang",
    "Davis",
    "Garcia",
    "Lin",
    "Wu",
    "Zhou",
    "Yang",
    "Taylor",
]
_JOB = [
    "工程师",
    "会计",
    "销售经理",
    "产品经理",
    "司机",
    "厨师",
    "教师",
    "护士",
    "设计师",
    "律师助理",
    "保安",
    "店长",
    "程序员",
    "文员",
    "出纳",
    "技术总监",
    "编辑",
    "保洁员",
    "讲师",
    "副主任",
]
_DEPT = [
    "内科",
    "外科",
    "骨科",
    "儿科",
    "心内科",
    "急诊",
    "财务部",
    "人事部",
    "市场部",
    "研发部",
    "销售部",
    "行政部",
    "技术部",
    "客服部",
    "采购部",
    "法务部",
]
_RELATION = ["父亲", "母亲", "配偶", "姐姐", "哥哥", "儿子", "女儿", "朋友", "同事"]
_MAIL = ["qq.com", "163.com", "gmail.com", "126.com", "outlook.com", "example.com"]
_DIGIT = "〇一二三四五六七八九"


def name_part(given: str) -> Part:
    """The part of the data that a given name belongs to: a tenth for validation, a fifth for test, for good.

    The traditional form of a name goes where its simplified form goes.
    """
    place = hashlib.sha256(simplified(given).encode()).digest()[0] % 10
    return "test" if place < 2 else "validation" if place == 2 else "train"


class Slots:
    """Fills slots for one part of the data.

    Args:
        random_: what everything is drawn with.
        part: given names of other parts are never drawn.
    """

    def __init__(self, random_: random.Random, part: Part) -> None:
        self._random = random_
        self._part = part
        self._fakers: dict[bool, Faker] = {False: Faker("zh_CN"), True: Faker("zh_TW")}
        for faker in self._fakers.values():
            faker.seed_instance(random_.getrandbits(32))
        self._surname_weights = [1 / (rank + 12) for rank in range(len(SURNAMES))]
        self._makers: dict[str, Callable[[bool], str]] = {
            "person": self._person,
            "han": self._han,
            "given": self._called,
            "surname": self._surname,
            "nick": self._nick,
            "foreign": lambda _: self._foreign(),
            "minority": lambda _: self._minority(),
            "latin": lambda _: self._latin(),
            "address": self._address,
            "city": self._city,
            "province": lambda _: self._one(_PROVINCES),
            "place": self._place,
            "company": self._company,
            "org": self._org,
            "date": self._date,
            "time": lambda _: self._time(),
            "phone": lambda _: self._phone(),
            "id": lambda _: self._digits(6) + f"19{self._digits(2)}" + self._digits(7) + self._one("0123456789X"),
            "card": lambda _: "62" + self._digits(self._one((14, 17))),
            "email": lambda _: self._letters(self._random.randint(3, 8)) + self._digits(2) + "@" + self._one(_MAIL),
            "money": lambda _: self._one((self._digits(4), f"{self._random.randint(1, 99)},000.00", self._digits(2))),
            "num": lambda _: str(self._random.randint(1, 99)),
            "plate": lambda _: self._one("京沪粤苏浙川鄂湘") + self._one("ABCDEF") + self._digits(5),
            "order": lambda _: self._one(("SF", "YT", "NO", "")) + self._digits(10),
            "code": lambda _: self._digits(self._one((4, 6))),
            "job": lambda _: self._one(_JOB),
            "dept": lambda _: self._one(_DEPT),
            "relation": lambda _: self._one(_RELATION),
        }

    def fill(self, slot: str, *, traditional: bool) -> str:
        """A value for a slot, in simplified or traditional characters."""
        return self._makers[slot](traditional)

    def _one(self, values: Sequence[_T]) -> _T:
        return self._random.choice(values)

    def _digits(self, count: int) -> str:
        return "".join(self._random.choices("0123456789", k=count))

    def _letters(self, count: int) -> str:
        return "".join(self._random.choices("abcdefghijklmnopqrstuvwxyz", k=count))

    def _surname(self, traditional: bool) -> str:
        if traditional:
            return str(self._fakers[True].last_name())
        if self._random.random() < 0.05:
            return self._one(COMPOUND)
        return self._random.choices(SURNAMES, weights=self._surname_weights)[0]

    def _given(self, traditional: bool) -> str:
        """A given name of this part. One in four has one character."""
        while True:
            source = self._random.random()
            if traditional or source < 0.25:
                name = str(self._fakers[traditional].first_name())
            elif source < 0.5:
                name = given_names().draw(self._random)
            else:
                name = given_characters().draw(self._random)
                if self._random.random() < 0.6:
                    name += given_characters().draw(self._random)
                elif self._random.random() < 0.15:
                    name += name
            if name_part(name) == self._part:
                return name

    def _called(self, traditional: bool) -> str:
        """A given name that stands alone: two characters."""
        while len(name := self._given(traditional)) < 2:
            pass
        return name

    def _han(self, traditional: bool) -> str:
        return self._surname(traditional) + self._given(traditional)

    def _nick(self, traditional: bool) -> str:
        kind = self._random.random()
        if kind < 0.6:
            return self._one("老小小老大阿") + self._surname(traditional)[0]
        given = self._given(traditional)[-1]
        return ("阿" if kind < 0.8 else "小") + given if kind < 0.9 else given + given

    def _foreign(self) -> str:
        if self._random.random() < 0.5:
            parts = self._random.sample(_FOREIGN, 2)
        else:
            parts = ["".join(self._random.choices(_SYLLABLE, k=self._random.randint(2, 4))) for _ in range(2)]
        return self._one("···•・").join(parts)

    def _minority(self) -> str:
        if self._random.random() < 0.6:
            parts = self._random.sample(_MINORITY, 2)
        else:
            parts = ["".join(self._random.choices(_SOUND, k=self._random.randint(2, 4))) for _ in range(2)]
        return self._one("···•・").join(parts) if self._random.random() < 0.9 else "".join(parts)

    def _latin(self) -> str:
        first = self._one(_LATIN) if self._random.random() < 0.6 else self._letters(self._random.randint(3, 6)).title()
        return first if self._random.random() < 0.5 else f"{first} {self._one(_LATIN_LAST)}"

    def _person(self, traditional: bool) -> str:
        kind = self._random.random()
        if kind < 0.9:
            return self._han(traditional)
        return (
            self._foreign()
            if kind < 0.93
            else self._minority()
            if kind < 0.96
            else self._latin()
            if kind < 0.98
            else self._nick(traditional)
        )

    def _proper(self) -> str:
        """Two characters or a word, as roads, estates and firms are called."""
        kind = self._random.random()
        if kind < 0.4:
            return words()[self._one(("n", "a", "nz"))].draw(self._random)[:2]
        if kind < 0.6:
            return self._one(_CITIES)[:2]
        return given_characters().draw(self._random) + given_characters().draw(self._random)

    def _address(self, traditional: bool) -> str:
        if traditional:
            return str(self._fakers[True].address()) if self._random.random() < 0.5 else self._address_tw()
        kind = self._random.random()
        if kind < 0.2:
            return str(self._fakers[False].address()).split(" ")[0]
        if kind < 0.3:
            return str(self._fakers[False].address())
        area = (
            ""
            if kind < 0.4
            else self._one(_CITIES) + self._one(("市", "")) + self._proper()[:2] + self._one(("区", "县", "区"))
        )
        if kind > 0.6:
            area = self._one(_PROVINCES) + area
        number = self._random.randint(1, 2000)
        if kind < 0.52:
            return f"{area}{self._proper()}{self._one(('镇', '乡'))}{self._proper()}村{self._one(('', f'{number % 20 + 1}组', f'{number}号'))}"
        road = f"{self._proper()}{self._one(_ROAD)}{number}{self._one(('号', '弄', '号院'))}"
        door = self._one(
            (
                "",
                f"{self._random.randint(1, 30)}{self._one(('栋', '幢', '号楼', '座'))}{self._random.randint(101, 3502)}{self._one(('室', '', '房'))}",
                f"{self._random.randint(1, 30)}-{self._random.randint(1, 6)}-{self._random.randint(101, 3502)}",
                f"{self._random.randint(1, 9)}单元{self._random.randint(101, 3502)}",
            )
        )
        home = self._proper() + self._one(_HOME) if self._random.random() < 0.5 else ""
        return (road if self._random.random() < 0.7 or not home else "").join((area, home)) + door or road

    def _address_tw(self) -> str:
        city = self._one(_CITIES_TW)
        floor = self._one(
            ("", f"{self._random.randint(2, 20)}樓", f"{self._random.randint(2, 20)}樓之{self._random.randint(1, 9)}")
        )
        road = self._one(
            [
                "中山",
                "中正",
                "忠孝東",
                "民生",
                "和平東",
                "復興南",
                "建國",
                "信義",
                "仁愛",
                "光復",
                "文化",
                "自由",
                "成功",
            ]
        )
        return f"{city}{self._one(('', '信義區', '大安區', '中正區', '北區', '鳳山區'))}{road}路{self._one(('', '一段', '二段'))}{self._random.randint(1, 900)}號{floor}"

    def _city(self, traditional: bool) -> str:
        if traditional:
            return self._one(_CITIES_TW)
        kind = self._random.random()
        if kind < 0.6:
            return self._one(_CITIES) + ("市" if kind < 0.1 else "")
        return self._known("ns", "市县州")

    def _known(self, kind: str, ends: str) -> str:
        while True:
            word = words()[kind].draw(self._random)
            if len(word) > 1 and word[-1] in ends:
                return word

    def _place(self, traditional: bool) -> str:
        if traditional or self._random.random() < 0.3:
            return self._city(traditional)
        if self._random.random() < 0.5:
            return self._known("ns", "省市县区州镇村乡岛山河江湖寺港")
        return self._proper() + self._one(["路", "街", "村", "镇", "广场", "大桥", "公园", "山", "湖", "小区", "车站"])

    def _company(self, traditional: bool) -> str:
        if traditional or self._random.random() < 0.2:
            return str(self._fakers[traditional].company())
        if self._random.random() < 0.1:
            return self._one(_BANKS)
        where = self._one(_CITIES) + self._one(("", "市")) if self._random.random() < 0.7 else ""
        return f"{where}{self._proper()}{self._one(_TRADE)}{self._one(_FORM)}"

    def _org(self, traditional: bool) -> str:
        if traditional:
            return self._one(_CITIES_TW) + self._one(_BODY_TW)
        kind = self._random.random()
        if kind < 0.12:
            return self._one(_BANKS)
        if kind < 0.3:
            return self._known("nt", "会部院局校社团厅所处馆司行厂")
        middle = self._proper() if self._random.random() < 0.4 else ""
        return self._one(_CITIES) + self._one(("", "市", "市")) + middle + self._one(_BODY)

    def _date(self, traditional: bool) -> str:
        year, month, day = self._random.randint(1950, 2030), self._random.randint(1, 12), self._random.randint(1, 28)
        mark = "號" if traditional else "号"
        forms = [
            f"{year}年{month}月{day}日",
            f"{year}-{month:02}-{day:02}",
            f"{month}月{day}日",
            f"{month}月{day}{mark}",
            f"{year}/{month}/{day}",
            f"{year}.{month:02}.{day:02}",
            f"{year}年{month}月",
            "".join(_DIGIT[int(d)] for d in str(year)) + f"年{_counted(month)}月{_counted(day)}日",
        ]
        if traditional:
            forms.append(f"民國{year % 70 + 50}年{month}月{day}日")
        return self._one(forms)

    def _time(self) -> str:
        hour, minute = self._random.randint(1, 12), self._random.randint(0, 59)
        half = self._one(["上午", "下午", "晚上", "早上", "中午"])
        return self._one(
            [
                f"{half}{hour}点",
                f"{half}{hour}点半",
                f"{hour + 11}:{minute:02}",
                f"{half}{_counted(hour)}点",
                f"{hour}时{minute}分",
            ]
        )

    def _phone(self) -> str:
        number = "1" + self._one("3578") + self._digits(9)
        return self._one(
            [number, number, f"{number[:3]}-{number[3:7]}-{number[7:]}", f"0{self._digits(2)}-{self._digits(8)}"]
        )


def _counted(number: int) -> str:
    tens, ones = divmod(number, 10)
    return ("" if tens == 0 else "十" if tens == 1 else f"{_DIGIT[tens]}十") + (_DIGIT[ones] if ones else "")
