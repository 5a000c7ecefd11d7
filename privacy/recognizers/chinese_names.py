"""Chinese personal names: a surname, given-name characters, and something beside them that says a person is meant.

A surname followed by a plausible character is half the language; a name is taken only where a label, a verb or a number stands right beside it.
"""

from __future__ import annotations

import re

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
    "一伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀英华慧巧美霞平刚桂兰玉红梅春燕玲萍莉琴云凤洁琳素珍荣爱妹雪香月莺媛瑞凡佳嘉琼勤珠贵飞彬富顺信子昌成康星光天达安岩中茂进林有坚和彪博诚先敬震振壮会思群豪心邦承乐绍功松善厚庆民友裕河哲江浩亮政谦亨奇固之轮翰朗伯宏言若鸣朋斌梁栋维启克伦翔旭鹏泽晨辰士以建家致树炎德行时泰盛雄琛钧冠策腾楠榕风航弘"
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
# Who does something or has something done, right before the name; and what a person does or is done to, right after it.
_ROLES = (
    r"给|由|据|对|被|让|请|找|和|与|跟|叫|陪|问|向|约|@|是|为|即|嫌疑人|驾驶员|职员|选手|队长|村民|市民|导演|演员|教师|博士|先生|女士|"
    r"学生|客户|用户|患者|病人|员工|尊敬的|亲爱的|同事|朋友"
)
_ROLE = re.compile(rf"(?:{_ROLES})[ ]?$")
_DOING = (
    r"昨[天晚日]|今[天早晚日]|明[天日]|后天|上周|下周|刚[刚才]?|已经?|正在|将|还[没是在要]|也[是在没要不]|都|没[有来去]?|不[在会能想是]|会|要|想|在|是|来|去|到|把|被|给|向|"
    r"从|对|跟|和|与|说|表示|介绍|认为|指出|主持|签[字名收]|投诉|负|约|回|拿|买|卖|借|欠|住|租|毕业|出生|去世|获|担任|参加|出席|提交|提出|申请|办理|填写|确认|同意|拒绝|到场|请假|离职|入职|迟到|的"
)
_DOES = re.compile(_DOING)
# What also a surname with one character needs beside it; it reads like a common word too often for less.
_SURELY = re.compile(
    r"昨[天晚日]|今[天早晚日]|明[天日]|后天|上周|下周|刚[刚才]|正在|没有?来|表示|介绍|认为|指出|主持|签[字名收]|投诉|负[全主次]|"
    r"约[了在好]|回[个了电]|毕业|出生|去世|参加|出席|提交|申请|办理|填写|拒绝|请假|离职|入职|迟到|说|[ ]?(?:$|[^\u4E00-\u9FFF的])"
)
_NUMBER = regex.compile(r"[ ]{0,2}[(:/,]{0,2}[ ]{0,2}(?:\+?[0-9][0-9 -]{5}|[A-Za-z0-9._-]{2,30}@)")
_CLOSED = regex.compile(r"[ ]{0,2}(?:$|[^\u4E00-\u9FFF])|[的和与跟]")
# Words that begin like a name; never one, whatever stands beside them.
_WORDS = frozenset(
    " ".join(
        (
            "高兴 高级 高清 高中 高铁 高速 高峰 高新 高度 高原 安全 安静 安心 安宁 安慰 文明 文学 文化 文艺 文章",
            "文件 方便 方法 方向 方言 方案 平安 和平 成功 成立 马上 马路 马力 周末 周年 周围 周期 周到 金额 金融",
            "金牌 金星 金山 白天 白色 白云 黄色 黄金 黄河 江南 江山 江河 海洋 石油 向前 向导 时间 时光 常常 常用",
            "常见 连接 关于 关系 关心 任何 任务 任意 万一 万元 万达 于是 应该 应用 应当 康复 温度 温暖 华为 项目",
            "舒服 严重 严格 路线 路由 童年 阳光 计划 明天 明年 明白 何时 何以 何况 何必 易于 单元 单位 包子 包裹",
            "包括 宁可 宁波 石家 梅雨 梅花 林业 林木 林荫 雷雨 雷达 雷电 秦岭 秦淮 汤圆 钱包 钱财 夏天 夏季 夏令",
            "秋天 武器 武汉 武术 孔子 孔雀 孟子 毛巾 毛利 毛笔 龙虾 龙头 田园 田野 余额 余地 余杭 程序 程度 许可",
            "许多 曾经 付款 付费 付出 陈列 陈旧 牛奶 牛肉 熊猫 沈阳 洪水 洪山 游客 游戏 游泳 温州 费用 费时 项链",
            "关闭 关注 盛大 盛行 兰州 蓝天 蓝色 蓝牙 鲁能 季节 季度 庄园 庄严 尚未 左右 左边 祝福 祝贺 施工 施行",
            "管理 管道 路上 童话 康健 纪念 纪律 申请 申报 申诉 米饭 米粉 欧元 欧洲 甘蔗 梁山 江苏 江西 河南 云南",
            "文旅 钟表 钟头 史诗 史上 贺卡 万里 苏州 杭州 广州 郑州 唐诗 宋词 汉语 马林 马克 安德 罗马 高丽 高庆",
            "严肃 严明 向上 万事 金光 文雅 白金 黄山 方正 方可 方能 高才 高大 高远 安康 安家 平方 时有 常有 雷同",
            "乔木 解决 解放 齐全 齐心 全国 全球 元旦 成都 成本 成为 成员 水平 管家 戴维 谢谢 谢意 路宽 路平 和家",
            "何方 余生 马达 金子 金华 石林 田地 苗木 伍家 关怀 任性 毛发 易学 白玉 白雪 史书 丁香 成年 时刻 平均",
            "路面 花园 高温 张开 金属 江边 安装 林区 石头 严禁 温馨 龙年 雷阵 田间 包装 水费 熊熊 古城 毛衣 左转",
            "钱不 段落 王国 司机 应聘 应急 平台 平板 平米 平常 白领 白酒 金钱 金牛 金刚 金鱼 高考 高手 高楼 高压",
            "高层 高效 高尔 路口 路过 路程 周三 周一 周五 周日 周四 周二 周六 周边 周刊 周转 江水 江湖 江东 江北",
            "石板 石子 石灰 文字 文凭 文具 文物 方式 方圆 方形 方才 万物 万分 万能 马尾 马桶 马甲 马戏 马蹄 马匹",
            "牛仔 牛津 龙卷 龙舟 夏日 夏装 阳台 阳性 安排 安检 时候 时常 时代 时装 时尚 成绩 成分 成果 成人 成长",
            "成交 成品 成就 成熟 明显 明确 明星 明信 水果 水泥 水电 水库 水族 水利 水源 常规 常务 常识 常年 常委",
            "程控 温泉 温和 温室 许愿 许久 于今 任凭 任教 任职 任选 单价 单独 单身 单据 单纯 计算 计时 计较 计量",
            "费力 费心 管用 管制 管辖 解释 解除 解答 解压 解析 严厉 严密 严峻 严谨 应付 应对 应届 应有 简单 简历",
            "简介 简易 简直 童装 全部 全程 全家 全年 全新 全面 全套 全天 全身 全体 和解 和谐 和睦 和好 元素 元件",
            "向往 向来 向下 项圈 关键 关联 关机 关税 关门 连续 连锁 连忙 连衣 连同 包含 包邮 包机 左手 左侧 左岸",
            "祝愿 祝寿 游览 游行 游轮 施加 施肥 洪涝 洪峰 沈城 盛开 盛典 盛世 季风 庄重 尚可 尚有 康宁 康乐 纪录",
            "纪实 申明 申购 申办 米色 米兰 欧美 甘甜 梁柱 史料 贺信 商品 商业 商务 商场 商家 商标 商量 商店 巫术",
            "车辆 车站 车间 车道 车库 区域 区分 区别 柴油 柴火 耿直 翁婿 盛夏 路灯 裴翠 焦急 焦点 焦虑 庞大 温差",
            "骆驼 冉冉 饶命",
        )
    ).split()
)

_LENGTHS = sorted({len(word) for word in _WORDS})


def _name(text: str, start: int, end: int) -> tuple[int, int, float] | None:
    """Whether what surrounds the candidate says that it is a person, and which of its characters are the name."""
    left = text[max(0, start - 24) : start]
    labelled = _LEFT.search(left) is not None
    joined = _JOIN.search(left) is not None
    edge = _EDGE.search(left) is not None
    role = _ROLE.search(left) is not None
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
        elif stop - start > 2 and (
            (role and (_CLOSED.match(tail) or _DOES.match(tail))) or (edge and _DOES.match(tail))
        ):
            score = 0.6
        elif (stop - start == 2 and (role or (edge and tail[:1] in "昨今明后上下刚正没")) and _SURELY.match(tail)) or (
            role and not edge and _CLOSED.match(tail) and not tail.startswith("的")
        ):
            score = 0.55
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
            rf"(?:^|[^\u4E00-\u9FFF]){_S}{_G}{{1,2}}(?:{_DOING})",
            rf"(?:{_ROLES}){_S}{_G}",
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
