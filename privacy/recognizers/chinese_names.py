"""Chinese personal names: a surname, given-name characters, and something beside them that says a person is meant.

A surname followed by a plausible character is half the language; a name is taken only where a label, a verb or a number stands right beside it.
"""

from __future__ import annotations

import regex

from .model import Recognizer

__all__ = ["RECOGNIZERS"]

# The commonest surnames (Ministry of Public Security, annual name reports), compound ones first.
_COMPOUND = "欧阳|太史|端木|上官|司马|东方|独孤|南宫|万俟|闻人|夏侯|诸葛|尉迟|公羊|赫连|澹台|皇甫|宗政|濮阳|公冶|太叔|申屠|公孙|慕容|仲孙|钟离|长孙|宇文|司徒|鲜于|司空|闾丘|令狐|百里|呼延|东郭|南门|西门|第五|轩辕"
_SINGLE = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫阎段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文"
    "傅卜车仇佘裘柏桑尤晏鄢冼区商敖巫"
    "萧詹凌柯翁管焦柴耿牛翟安路樊施洪左祝童邢俞齐梅庄辛倪裴尚葛甘殷麦项喻欧申米穆关盛游庞纪蓝兰鲁季颜聂鲍阮苗费岳卓靳娄伍涂滕骆温应冉单饶包宁"
)
# Characters that given names are made of.
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀英华慧巧美霞平刚桂兰玉红梅春燕玲萍莉琴云凤洁琳素珍荣爱妹雪香月莺媛瑞凡佳嘉琼勤珠贵飞彬富顺信子昌成康星光天达安岩中茂进林有坚和彪博诚先敬震振壮会思群豪心邦承乐绍功松善厚庆民友裕河哲江浩亮政谦亨奇固之轮翰朗伯宏言若鸣朋斌梁栋维启克伦翔旭鹏泽晨辰士以建家致树炎德行时泰盛雄琛钧冠策腾楠榕风航弘"
    "俊峰海山仁波宁福生龙元全国胜学祥才发武新利清文辉力永健世广志义兴良东毅宇轩梓涵诗欣怡婷雨桐梦瑶晓雅琪墨远大小曼菲倩颖娇岚苑婕馨瑗琰韵融园艺咏卿聪澜纯毓悦昭冰爽琬茗羽希育滢馥筠柔竹霭凝可姬舒影荔枝丹菊寒伊亚宜莎锦黛青佩艾妍茜秋珊黎丝云莲真环蓉眉君珂勤薇萱皓睿奕宸铭煜昊然妤芷若彤紫依沛钰阳璐芸蕾洲虎宝根水火金木土正方立彦帆坤霖尧舜禹恒珏芝翠霄岭嵩瑜瑾璇彭悠祺晗佑佐佩信仪倬凌劲卉君哲喆嫣宏岳峻川希帅建彬彤心忆怀恺惠意慕懿捷敦旋旻昀昕昱景智曦朔朵权柯栩桓楚樱欢殊毓民汐沐沁泉泓洪润涵淇淑淳清渊源溪滨澄澎炜烁烨焕熙爱玄玥珍珩琨琰瑄瑞璟甜畅益盈硕祎祥禄秉秦竞笑筱粤素紫红绮维绪罡羡耀聪胤舟良芃芊芮苒茉茹荃莹菁菡萍葳蓓蔚薪蘅虹衍裳襄解言诺谊谷豪贤贝赫超路跃蹊轶辛迅远迪逸达遥邦郁鑫钊钟铃铎铠锋锐镇长闻阔陶隽雁雄雯霏霁青静音颂颜风飒香骁骏高鸿鹤麒齐"
)
_S = rf"(?:{_COMPOUND}|[{_SINGLE}])"
_G = rf"[{_GIVEN}]"
_LABEL = (
    "姓名|名字|名叫|叫做|户名|联系人|收件人|寄件人|收货人|发件人|持卡人|开户人|申请人|投保人|被保险人|受益人|登记人|负责人|经办人|法定代表人|法人代表|法人|车主|业主|房东|租客|乘客|旅客|客户|用户|患者|病人|学员|学生|考生|老师|嘉宾|"
    "参会人员|人员|员工|同事|同学|朋友|家属|配偶|丈夫|妻子|父亲|母亲|儿子|女儿|哥哥|姐姐|弟弟|妹妹|经理|主任|医生|律师|护士|司机|快递员|我叫|我是|他叫|她叫|他是|她是|本人|联系|转账至|转账到|转给|汇给|打给|转到|转账给|发给|寄给|交给|"
    "告诉|通知|问一下|问了|存一下|加一下|微信加|请核对|核对|核实|核验|确认|帮|替|请找|找到|麻烦|感谢|谢谢|邀请|报名信息|信息汇总|注册信息|挂号信息|那个|收款人|付款人|委托人|当事人|原告|被告|证人|记者|作者|编辑|署名|签名|cc一下|抄送|"
    "contact|name|call|reach|就是|叫|发你了|听说|据说"
)
_TITLE = "先生|女士|小姐|太太|老师|教授|医生|大夫|经理|主任|总监|师傅|同学|同志|律师|警官|局长|院长|校长|书记|部长|董事长|阿姨|叔叔|奶奶|爷爷|法官|护士|博士|司机"
_THING = "手机|电话|身份证|证件|护照|银行卡|信用卡|卡号|邮箱|邮件|微信|地址|住址|户籍|账户|账号|车牌|车辆|生日|联系方式|联系电话|号码|病历|工号|学号|姓名|快递|简历|驾照|合同|contact|email|phone|qq|住在|家住|名下|申请|开户|登记|预约|报名|身份|卡"
_AFTER = rf"(?:(?:{_TITLE})|(?:的|名下|名下的)?[ ]?[,;:/]?[ ]?(?:{_THING})|的号(?:[0-9码]|$)|[ ]at[ ][0-9]|打电话|发(?:邮件|消息|短信|微信)|微信同号|完成|说|打来|来电|在[\u4E00-\u9FFF]|[ ]?的[ ]?(?:$|[^\u4E00-\u9FFF])|查一下|账户|打这个|你打)"

_LEFT = regex.compile(rf"(?:{_LABEL})(?:是|为|叫)?[ ]{{0,2}}[:\"“「(]?[ ]{{0,2}}$", regex.IGNORECASE)
_JOIN = regex.compile(r"(?:[0-9]{4,}[ ]{0,2}|[0-9]\)?[ ]?(?:和|、|,|;|与)[ ]?)(?:户名|是)?[ ]?$")
_EDGE = regex.compile(r"(?:^|[^\u4E00-\u9FFF0-9A-Za-z])$|^$")
_RIGHT = regex.compile(rf"[ ]{{0,2}}{_AFTER}", regex.IGNORECASE)
_NUMBER = regex.compile(r"[ ]{0,2}[(:/,]{0,2}[ ]{0,2}(?:\+?[0-9][0-9 -]{5}|[A-Za-z0-9._-]{2,30}@)")
_CLOSED = regex.compile(r"[ ]{0,2}(?:$|[^\u4E00-\u9FFF])|[的和与跟]")
# Words that begin like a name; never one, whatever stands beside them.
_WORDS = frozenset([r"高兴", r"高级", r"高清", r"高中", r"高铁", r"高速", r"高峰", r"高新", r"高度", r"高原", r"安全", r"安静", r"安心", r"安宁", r"安慰", r"文明", r"文学", r"文化", r"文艺", r"文章", r"文件", r"方便", r"方法", r"方向", r"方言", r"方案", r"平安", r"和平", r"成功", r"成立", r"马上", r"马路", r"马力", r"周末", r"周年", r"周围", r"周期", r"周到", r"金额", r"金融", r"金牌", r"金星", r"金山", r"白天", r"白色", r"白云", r"黄色", r"黄金", r"黄河", r"江南", r"江山", r"江河", r"海洋", r"石油", r"向前", r"向导", r"时间", r"时光", r"常常", r"常用", r"常见", r"连接", r"关于", r"关系", r"关心", r"任何", r"任务", r"任意", r"万一", r"万元", r"万达", r"于是", r"应该", r"应用", r"应当", r"康复", r"温度", r"温暖", r"华为", r"项目", r"舒服", r"严重", r"严格", r"路线", r"路由", r"童年", r"阳光", r"计划", r"明天", r"明年", r"明白", r"何时", r"何以", r"何况", r"何必", r"易于", r"单元", r"单位", r"包子", r"包裹", r"包括", r"宁可", r"宁波", r"石家", r"梅雨", r"梅花", r"林业", r"林木", r"林荫", r"雷雨", r"雷达", r"雷电", r"秦岭", r"秦淮", r"汤圆", r"钱包", r"钱财", r"夏天", r"夏季", r"夏令", r"秋天", r"武器", r"武汉", r"武术", r"孔子", r"孔雀", r"孟子", r"毛巾", r"毛利", r"毛笔", r"龙虾", r"龙头", r"田园", r"田野", r"余额", r"余地", r"余杭", r"程序", r"程度", r"许可", r"许多", r"曾经", r"付款", r"付费", r"付出", r"陈列", r"陈旧", r"牛奶", r"牛肉", r"熊猫", r"沈阳", r"洪水", r"洪山", r"游客", r"游戏", r"游泳", r"温州", r"费用", r"费时", r"项链", r"关闭", r"关注", r"盛大", r"盛行", r"兰州", r"蓝天", r"蓝色", r"蓝牙", r"鲁能", r"季节", r"季度", r"庄园", r"庄严", r"尚未", r"左右", r"左边", r"祝福", r"祝贺", r"施工", r"施行", r"管理", r"管道", r"路上", r"童话", r"康健", r"纪念", r"纪律", r"申请", r"申报", r"申诉", r"米饭", r"米粉", r"欧元", r"欧洲", r"甘蔗", r"梁山", r"江苏", r"江西", r"河南", r"云南", r"文旅", r"钟表", r"钟头", r"史诗", r"史上", r"贺卡", r"万里", r"苏州", r"杭州", r"广州", r"郑州", r"唐诗", r"宋词", r"汉语", r"马林", r"马克", r"安德", r"罗马", r"高丽", r"高庆", r"严肃", r"严明", r"向上", r"万事", r"金光", r"文雅", r"白金", r"黄山", r"方正", r"方可", r"方能", r"高才", r"高大", r"高远", r"安康", r"安家", r"平方", r"时有", r"常有", r"雷同", r"乔木", r"解决", r"解放", r"齐全", r"齐心", r"全国", r"全球", r"元旦", r"成都", r"成本", r"成为", r"成员", r"水平", r"管家", r"戴维", r"谢谢", r"谢意", r"路宽", r"路平", r"和家", r"何方", r"余生", r"马达", r"金子", r"金华", r"石林", r"田地", r"苗木", r"伍家", r"关怀", r"任性", r"毛发", r"易学", r"白玉", r"白雪"])  # fmt: skip

_LENGTHS = sorted({len(word) for word in _WORDS})


def _name(text: str, start: int, end: int) -> tuple[int, int, float] | None:
    """Whether what surrounds the candidate says that it is a person, and which of its characters are the name."""
    left = text[max(0, start - 24) : start]
    labelled = _LEFT.search(left) is not None
    joined = _JOIN.search(left) is not None
    edge = _EDGE.search(left) is not None
    best: tuple[int, int, float] | None = None
    # The longest reading that something right of it supports; else the longest that a label to its left supports.
    for stop in range(end, start + 1, -1):
        if text[start:stop] in _WORDS:
            continue
        tail = text[stop : stop + 24]
        score = 0.0
        if _NUMBER.match(tail):
            score = 0.85
        elif _RIGHT.match(tail):
            score = 0.8 if edge or labelled or joined else 0.72
        elif (labelled or joined) and _CLOSED.match(tail):
            score = 0.8 if labelled else 0.6
        if labelled and score:
            score = 0.95
        if score and (best is None or score > best[2]):
            best = (start, stop, score)
    if best is None and labelled and not any(text[start : start + length] in _WORDS for length in _LENGTHS):
        best = (start, end, 0.55)
    return best


RECOGNIZERS = (
    Recognizer(
        entity="PERSON",
        name="cn_name",
        category="person",
        before="",
        pattern=rf"(?:(?:{_COMPOUND}){_G}{{1,2}}|[{_SINGLE}]{_G}{{1,2}})",
        gates=(
            rf"(?:{_LABEL})(?:是|为|叫)?[ ]{{0,2}}[:\"“「(]?[ ]{{0,2}}{_S}",
            rf"{_G}[ ]{{0,2}}(?:{_TITLE})",
            rf"{_G}(?:的|名下|名下的)?[ ,;:/]{{0,4}}(?:{_THING})",
            rf"{_G}[ ]{{0,2}}(?:微信同号|完成|说|打来|来电|打电话|发邮件|发消息|发短信|发微信|at[ ]|的号|在[\u4E00-\u9FFF]|的(?:[^\u4E00-\u9FFF]|$)|的[ ]|查一下|打这个|你打)",
            rf"{_G}[ ]{{0,2}}[(:/,]{{0,2}}[ ]{{0,2}}(?:\+?[0-9][0-9 -]{{5}}|[A-Za-z0-9._-]{{2,30}}@)",
            rf"[0-9][ )]{{0,3}}(?:和|、|,|;|与|户名|是)?[ ]?(?:户名|是)?[ ]?{_S}",
        ),
        after="",
        refine=_name,
        validated="surname, given-name characters, and a label, verb or number beside them",
        languages=("zh",),
        example="联系人:周晓岚",
        source="surname and given-name statistics",
    ),
    Recognizer(
        entity="PERSON",
        name="cn_surname_title",
        category="person",
        before=r"(?<![\u4E00-\u9FFF])",
        pattern=rf"[小老找问给叫请和与跟是]?(?P<v>(?:{_COMPOUND}|[{_SINGLE}])(?:先生|女士|小姐|太太|老师|教授|医生|大夫|经理|主任|师傅|律师|警官|阿姨))",
        after="",
        score=0.6,
        languages=("zh",),
        example="欧阳女士",
        source="forms of address",
    ),
    Recognizer(
        entity="PERSON",
        name="cn_minority_name",
        category="person",
        before="",
        pattern=r"[\u4E00-\u9FFF]{2,7}[·•・][\u4E00-\u9FFF]{2,9}",
        gates=(r"[·•・]",),
        after="",
        refine=lambda text, start, end: _minority(text, start, end),
        validated="middle dot, beside a label or of characters used for transcription",
        languages=("zh",),
        example="艾力·买买提",
        source="transcribed names",
    ),
)

_SOUNDS = frozenset(
    "阿艾尔古丽买提木拉力克汗江热依不都吾布迪努尼亚娜再娅库扎巴哈沙吉米尕孜别肯达乌斯卡玛旦扎西次仁卓玛多杰德吉平措央金索朗罗布尔吐逊麦麻合如帕夏"
)


def _minority(text: str, start: int, end: int) -> tuple[int, int, float] | None:
    """The transcribed syllables on both sides of the dot."""
    dot = next(i for i in range(start, end) if text[i] in "·•・")
    begin = dot
    while begin > start and text[begin - 1] in _SOUNDS:
        begin -= 1
    stop = dot + 1
    while stop < end and text[stop] in _SOUNDS:
        stop += 1
    if dot - begin < 2 or stop - dot < 3:
        return None
    return begin, stop, 0.8
