"""Chinese texts with slots, by genre: what `recipes.tagger.chinese` fills to make training data.

A line is a template, and its id is its genre and its place in it: add new ones at the end of a genre. What stands in
braces is a slot; `recipes.tagger.chinese_slots` says what each is filled with and which of them are entities. A PERSON
is the name without the title beside it (`{surname}经理`), and the whole of a familiar name (老王, 阿强). Two slots with
the same number (`{han:1}` … `{han:1}`) get the same value.
"""

from .chinese_people import PEOPLE
from .chinese_plain_daily import PLAIN_DAILY
from .chinese_plain_public import PLAIN_PUBLIC

__all__ = ["NEGATIVE", "TEMPLATES"]

_CHAT = """
{person}你到哪了
我跟{person}说好了，明天一起吃饭
{person}说他晚点到
刚才{person}打电话找你，你给他回一个吧
你认识{person}吗？就是上次一起打球那个
通知{person}来开会
叫上{person}和{person}一起去
{nick}今天没来，听说感冒了
{nick}你把钥匙放哪了？
别告诉{person}是我说的哈
哈哈哈{person}又迟到了
我妈让我把东西交给{person}
{date}我和{person}去{city}出差，{date}回
昨晚梦见{given}了，醒来还挺想她的
{given}，生日快乐！
@{person} 你那边收到了吗
快递放{nick}家了，你{time}去拿
我已经到{city}了，住在{address}
你把{person}的微信推给我
周末去{nick}家烧烤，{person}也来
{person}呢？怎么没见着人
帮我问问{person}有没有空
谢谢{surname}姐，麻烦你了
{surname}哥在吗
拜托{person}帮忙带一份回来吧
要不是{person}提醒我就忘了
{person}他爸住院了你知道吗
借给{person}的那本书还没还
我是{person}，加一下好友
今天{person}生日大家别忘了祝福她
请{person}、{person}、{person}到前面来领奖
{person}和{person}吵起来了
下午{time}在{org}门口见，{nick}开车过去
"""

_COURIER = """
【{company}】{han:1}您好，您的包裹已到{address}，请凭取件码{code}领取
收件人：{person} 电话：{phone} 地址：{address}
{address} {person} {phone}
{person}，{phone}，{address}
寄件人{person} {phone} {city}，收件人{person} {phone} {address}
您的快件由{person}派送，联系电话{phone}
麻烦放到{address}门口，我叫{person}
帮我改一下地址，改成{address}，收件人还是{person}
快递员{person}正在为您派件
单号{order} {person}收 {address}
已签收，签收人：{person}（本人），时间{date}
到付件请联系{surname}先生 {phone}
{person} 收 {phone} {address} 易碎轻放
你好是{surname}女士吗，你的外卖到了
退货地址 {address} 联系人 {person}
"""

_MEDICAL = """
患者{person}，男，{num}岁，因“咳嗽三天”于{date}入院
姓名：{person} 性别：女 年龄：{num}岁 科室：{dept}
{surname}医生建议{person}住院观察
{person}于{date}在{org}接受手术，主刀医生为{person}
家属{person}代述：患者昨夜发热，最高39.2度
{date}复查，{person}血压平稳，未诉不适
主治医师：{person}　住院号：{code}
请{person}到三号诊室就诊
过敏史：青霉素。既往在{org}行阑尾切除术。记录者{person}
{person}的检查报告出来了，请到自助机打印
转诊单：{person}，{id}，由{org}转至{org}
护士{person}给{num}床换药
{surname}主任查房，同意目前治疗方案
孕妇{person}，孕{num}周，预产期{date}
随访电话{phone}，患者{person}之女接听
"""

_BANK = """
尊敬的{han}先生，您尾号{code}的账户于{date}支出{money}元
户名：{person} 账号：{card} 开户行：{org}
请将{money}元转至{person}名下账户{card}
{person}向{person}转账{money}元，备注：房租
贷款人{person}与{company}签订借款合同
持卡人{person}已通过身份核验，证件号{id}
{org}提醒您：{person}已还款{money}元
担保人为{person}、{person}，担保期至{date}
{person}欠{person}{money}元，约定{date}前还清
经办{person} 复核{person} 主管{person}
客户{person}投诉{org}柜台排队过久
投保人{person}，被保险人{person}，受益人{person}
收款人名称 {company} 付款人名称 {person}
账户{card}（{person}）余额不足
我叫{person}，卡丢了，想挂失，身份证{id}
"""

_GOVERNMENT = """
兹证明{person}系我社区居民，现住{address}
{person}同志：你提交的申请已于{date}受理
经查，{person}于{date}在{city}办理暂住登记
申请人{person}，住{address}，联系电话{phone}
关于{person}等三人任职的通知
任命{person}为{org}副主任，免去{person}的职务
{org}拟对{person}作出行政处罚
被申请人：{company}，住所地{address}，法定代表人{person}
会议由{person}主持，{person}、{person}列席
{province}{city}{org}公示：{person}等人拟录用
村民{person}反映{place}道路积水问题
户主{person}之子{person}，{date}出生
兹有{person}前往{place}探亲，请予协助
根据{person}来信所述情况，{org}进行了核查
原告{person}诉被告{person}民间借贷纠纷一案，{org}于{date}立案
委托代理人{person}，{org}律师
"""

_COMPANY = """
{surname}总您好，我是{company}的{person}
会议纪要：出席{person}、{person}、{person}，缺席{person}
本合同由{company}与{person}于{date}签订
请{person}负责与{company}对接，{person}配合
{person}来自{company}，负责{place}市场
项目负责人{person}，技术支持{person}，预算{money}元
欢迎{person}加入{company}{dept}
{company}总经理{person}一行到访我司
邮件已抄送{person}和{surname}经理
此致 {person} {date}
{surname}工，图纸今天能出吗
审批流程：{person}→{person}→{person}
甲方：{company} 乙方：{person}
{person}<{email}>写道：
我司{person}将于{date}抵达{city}，请安排接机
采购单由{dept}{person}提交，{surname}总监已批
客户{company}的对接人换成{person}了
感谢{person}一直以来对{company}的支持
"""

_HR = """
{person}，{num}岁，毕业于{org}，现任职于{company}
入职通知：{person}将于{date}到{dept}报到
{dept}{person}请假两天，由{person}代班
离职员工{person}的工位已清空
面试官{person}给{person}打了B+
考勤异常：{person} {person} {person}
{person}曾在{company}担任{job}，后加入{company}
绩效评定 {person} 优秀 {person} 良好 {person} 合格
紧急联系人：{person}（{relation}） {phone}
试用期满，同意{person}转正
工资条 {person} 应发{money} 实发{money}
我推荐{person}担任{job}，他在{city}干过三年
"""

_SCHOOL = """
三年级二班{person}同学获得一等奖
{surname}老师好，{given}今天发烧请假一天
家长您好，{person}本次数学考了{num}分
学号{code} 姓名{person} 学院{org}
班主任{person}，任课教师{person}、{person}
{person}考上了{org}，全家都很高兴
优秀学生干部：{person}、{person}、{person}、{person}
{surname}教授的课改到{date}{time}
{person}与{person}同桌，关系很好
小组成员有{person}、{person}和{person}，组长是{person}
学生{person}在操场摔倒，已送{org}
请{person}的家长{time}到校
指导教师{person} 答辩人{person}
{person}转学到{city}去了
"""

_POLICE = """
{date}{time}，{person}报警称手机在{place}被盗
犯罪嫌疑人{person}（男，{num}岁，{city}人）已被刑事拘留
据{person}供述，他与{person}共谋实施诈骗
民警{person}、{person}到达{address}处置
失踪人员{person}，最后出现在{place}，如有线索请联系{surname}警官
证人{person}证实当晚{person}不在现场
驾驶人{person}驾驶{plate}小型轿车与{person}驾驶的货车相撞
被害人{person}经抢救无效死亡
经询问，{person}承认打伤{person}
当事双方{person}、{person}达成调解
询问人{person} 记录人{person} 被询问人{person}
扒窃嫌疑人绰号“{nick}”，真名{person}
"""

_SERVICE = """
客服：您好，请问是{person}吗？
您好{surname}先生，工单{order}已升级处理
用户{person}反馈无法登录，手机号{phone}
我要投诉你们的{person}，态度太差
工程师{person}将于{date}{time}上门，地址{address}
这边帮您转接{person}，请稍等
预约人{person}，{num}位，{date}{time}
{person}订了{date}去{city}的机票，证件{id}
旅客{person}请到{num}号登机口
会员{person}积分{num}分
请问怎么称呼？我姓{surname}
维修师傅{person} {phone}，{surname}师傅很专业
已为您登记：{person}，{plate}，{phone}
订单{order}收货人改为{person}，地址{address}，谢谢
"""

_FORM = """
姓名:{person} 电话:{phone}
姓名：{person}
姓名：{person}；证件号码：{id}；住址：{address}
联系人:{person} 单位:{company} 职务:{job}
{person},{phone},{email}
{person}|{num}|{city}|{job}
| {person} | {dept} | {phone} |
1. {person} 2. {person} 3. {person}
name={person}&mobile={phone}
"name": "{person}", "city": "{city}"
{person}	{id}	{address}
用户名 {person} 注册时间 {date}
签字：{person}　日期：{date}
人员名单：{person} {person} {person} {person}
报名表 {person} 男 {id} {phone}
出生地{city} 籍贯{province} 姓名{person}
单位名称：{company} 地址：{address} 负责人：{person}
INFO 用户{person}登录成功 ip=10.0.0.{num}
收货信息 {person}/{phone}/{address}
"""

_NEWS = """
{company}董事长{person}{date}表示，公司将在{city}建厂
记者{person}{city}报道
{city}市长{person}会见了{company}代表
{person}在{org}发表演讲，{person}等出席
{date}，{place}发生火灾，{num}人受伤，居民{person}回忆说
导演{person}的新片由{person}主演，{date}上映
{person}以{num}分战胜{person}夺得冠军
作家{person}凭借新作获奖，{person}担任评委
{org}教授{person}认为，这一现象值得关注
从{city}到{city}，{person}走了{num}天
本报{city}{date}电（记者{person} 通讯员{person}）
{province}、{province}等地普降大雨
{company}宣布收购{company}，交易额{money}万元
外交部发言人{person}主持例行记者会
{foreign}抵达{city}，开始为期三天的访问
{minority}从{place}来到{city}打工，一干就是十年
老人{person}今年{num}岁，住在{place}
歌手{person}将在{city}举办演唱会
"""

_MIXED = """
Hi {latin}，附件是{person}的简历
{latin}和{person}今天下午开会
会议邀请：{latin}, {person}, {latin}
我老板叫{latin}，人在{city}
请把PPT发给{latin}看一下
{foreign}是{company}的外籍专家
翻译{person}陪同{foreign}参观{org}
{minority}和{minority}是好朋友
请{minority}到窗口办理
联系{latin}或者{person}都行，电话{phone}
{person}(英文名{latin})
"""

_CHAT_TW = """
{person}你在幹嘛，{time}要不要一起吃飯
我剛剛有打給{person}，他沒接
{nick}說{date}聚餐改到{city}
跟{person}講一下，東西放在{address}
{surname}小姐您好，這裡是{company}
欸你知道{person}跟{person}在一起了嗎
麻煩{person}幫忙轉交給{person}
阿姨叫{given}回家吃飯了
謝謝{person}昨天載我回去
請{person}與{person}於{time}到場
"""

_OFFICE_TW = """
姓名：{person} 聯絡電話：{phone} 地址：{address}
病患{person}於{date}至{org}就診，主治醫師{person}
茲證明{person}君自{date}起任職於{company}
收件人 {person} {phone} {address}
立約人{company}與{person}同意如下
被告{person}辯稱當時人在{city}
{surname}經理已核准，請{person}辦理
{org}處長{person}指出，{place}水情穩定
警方通報：{person}騎車行經{address}時摔倒
本班導師{person}，班長{person}，副班長{person}
匯款至{person}帳戶{card}，金額{money}元
客戶{person}來電詢問訂單{order}進度
出席：{person}、{person}、{person} 紀錄：{person}
記者{person}／{city}報導
董事長{person}交棒，由{person}接任總經理
保戶{person}申請理賠，承辦人{person}
{dept}{person}請假，代理人{person}
{person}老師您好，{given}今天身體不舒服
入選名單 {person} {person} {person}
親愛的{person}，您的訂位{date}{time}已確認
寄件地址{address}，寄件者{person}
{person}畢業於{org}，現居{city}
里長{person}表示，{place}路燈已修復
"""

TEMPLATES: dict[str, tuple[str, ...]] = {
    genre: tuple(block.strip("\n").splitlines())
    for genre, block in {
        "chat": _CHAT,
        "courier": _COURIER,
        "medical": _MEDICAL,
        "bank": _BANK,
        "government": _GOVERNMENT,
        "company": _COMPANY,
        "hr": _HR,
        "school": _SCHOOL,
        "police": _POLICE,
        "service": _SERVICE,
        "form": _FORM,
        "news": _NEWS,
        "mixed": _MIXED,
        "chat_tw": _CHAT_TW,
        "office_tw": _OFFICE_TW,
    }.items()
}
TEMPLATES |= PEOPLE | PLAIN_PUBLIC | PLAIN_DAILY
"""Templates by genre; genres whose names end in `_tw` are in traditional characters."""

NEGATIVE = (*PLAIN_PUBLIC, *PLAIN_DAILY)
"""Genres without any entity."""
