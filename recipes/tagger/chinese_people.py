"""Chinese templates about persons, by genre: stories, quotes, lists, tables, mentions, notes, letters.

As in `chinese_templates`: what stands in braces is a slot, and new lines go to the end of a genre.
"""

__all__ = ["PEOPLE"]

_STORY = """
{person}推开门，看见桌上留着一张纸条
那天夜里，{person}一个人坐在江边
{person}笑了笑，没有回答
我第一次见到{person}是在大学的图书馆里
{han}和{han}从小一起长大，后来各奔东西
没有人知道{person}去了哪里
听到这个消息，{person}哭了整整一夜
{person}把信交给{person}，转身就走
在{city}的那几年，{person}换了三份工作
他想起{person}说过的话，心里一阵温暖
村里人都夸{person}能干
后来，{person}嫁给了{person}
{person}的母亲病了，{person}连夜赶回{city}
{person}从小喜欢画画，梦想成为画家
老师问{person}为什么迟到，{person}低着头不说话
院子里，{person}正在给花浇水
大家等了半天，{person}才慢慢走过来
我爷爷叫{person}，奶奶叫{person}
她嫁给{person}之后搬到了{city}
{nick}的店开在街角，生意一直不错
连{person}都觉得这件事不简单
{person}没想到{person}会答应得这么快
当年{person}救过我的命
我和{person}、{person}三个人合租
{given}的孩子已经上小学了
"""

_QUOTE = """
“{person}，你过来一下。”班主任喊道
“我不同意。”{person}说
{person}说：“时间不多了，马上出发。”
“别怕，”{person}安慰{person}，“万一出事有我呢。”
{person}表示：“成功没有捷径。”
“是{person}让我来的。”她小声说
{surname}主任指出，安全是第一位的
据{person}介绍，新产品的温度控制更精确
谈到未来，{person}很有信心
{person}补充道，项目进展顺利
“这次多亏了{person}。”{surname}经理说
{person}告诉记者，自己平时很少上网
用{person}的话说，就是方便大家
{person}回应称，网上的说法不属实
{person}在接受采访时透露，新书即将出版
对此，{person}认为应当从严管理
“请问{person}在家吗？”
他大喊：“{person}！等等我！”
"""

_LIST = """
参会人员：{person}、{person}、{person}、{person}
获奖名单：{person}，{person}，{person}
值班表 周一{person} 周二{person} 周三{person}
一组：{han} {han} {han}；二组：{han} {han} {han}
编剧：{person}　导演：{person}　主演：{person}、{person}
委员：{person} {person} {person} {person} {person}
- {person}
- {person}：{phone}
（1）{person}（2）{person}（3）{person}
裁判长{person}，副裁判长{person}，记录员{person}
主编{person}；编辑{person}、{person}；校对{person}
红队：{han}、{han}；蓝队：{han}、{han}
抄送：{person}；{person}；{person}
与会专家有{person}、{person}等
顾问{person}、{person}，秘书{person}
第一名{person}，第二名{person}，第三名{person}
已到：{person}、{person}；未到：{person}
家庭成员：父亲{person}，母亲{person}，妹妹{person}
股东{person}持股{num}%，{person}持股{num}%
继承人{person}、{person}、{person}各得三分之一
"""

_TABLE = """
{person}\t{num}\t{city}
{person},男,{num},{city},{phone}
| 已审 | {person} | {money} | 已付 |
{num}  {person}  {money}  已缴费
序号{num} 姓名{person} 金额{money} 时间{date}
{person} / {dept} / {job}
{dept}|{job}|{person}|{date}
{code} {person} 女 {date} {province}
收款人={person};金额={money}
"联系人": "{person}", "温度": {num}, "方向": "左"
<td>{person}</td><td>{money}</td>
user: {person}, role: 管理员
负责人：{person} | 状态：成功 | 余额：{money}
审核人 {person} 审核时间 {date} 结果 通过
客户名称：{person}；单位：{company}；金额：{money}元
乘客 {person} 座位 {num} 车次 {code}
{person}-{dept}-{phone}
借书人：{person}　书名：平凡的日子　归还：{date}
捐款：{person} {money}元 {person} {money}元
"""

_MENTION = """
@{person} @{person} 方案发群里了，看一下
@{person} 马上开会，快来
回复{person}：周末可以
{person}：收到，谢谢
{person}：高兴死了，成功了
{nick}：时间定了吗
{person}邀请{person}加入了群聊
“{person}”撤回了一条消息
{person}拍了拍{person}
转发自{person}的微博
谁有{person}的电话，急
哦 {person} 啊 我认识
跟{person}说一声就行 不用等我
那个叫{person}的人又来了
{person}今天不在 有事找{person}
你问{person}吧，她管这个
我去接{person}，你陪{nick}
{person}请客，都别客气
帮{person}带份饭
要是{person}不来，就让{person}顶上
给{person}转了{money}块
{person} {person} {person} 你们几个留一下
听{person}讲他们公司要搬到{city}
{person}好帅啊啊啊
我怀疑{person}没看邮件
今晚跟{nick}还有{person}吃火锅
在{person}那儿呢，晚点回
刚碰到{person}了，胖了不少
"""

_NOTE = """
记得还{person}钱
下午找{person}拿钥匙
{time}给{person}打电话
周五前把合同交给{person}签字
{person}那边已确认，等{person}回复
提醒{person}带身份证和护照
房东{person}，押金{money}元
把{person}从名单里去掉，换成{person}
取{person}的药，{dept}窗口
送{person}去{place}
{person}欠的书下周要回来
车借给了{person}，周末还
替{person}请假两天
由{person}接替{person}的工作
本人{person}，自愿放弃上述权利
本人{person}承诺所填内容属实，如有不实由本人承担责任
今收到{person}交来房租{money}元
今借到{person}人民币{money}元，{date}前归还，借款人{person}
兹授权{person}代为办理相关手续
立遗嘱人{person}，现将名下房产留给{person}
"""

_LETTER = """
{person}：你好！好久不见
亲爱的{given}，见信如面
尊敬的{person}女士，感谢您选择我们的服务
{surname}先生/女士：您的申请已通过
您好，我是{person}，想咨询一下退货时间
{person}您好，您预约的时间为{date}{time}
致{person}同志的一封信
顺祝商祺 {person} {dept}
{person}敬上
祝{person}生日快乐，万事如意
恭喜{person}、{person}新婚快乐
沉痛悼念{person}先生
谨代表{company}向{person}表示祝贺
寄信人 {person} 寄自{city}
特此通知{person}，逾期按放弃处理
{person}阁下：欣闻您将访问{city}
另，请代我向{person}问好
推荐人{person}，与被推荐人{person}系师生关系
"""

_WORK = """
这个需求找{person}确认，别找{person}
bug 已指派给{person}
代码由{person}提交，{person}审查
{person}修复了登录超时的问题
把{person}加到项目里，权限和{person}一样
上周是{person}值班，日志在他那里
服务器密码只有{person}知道
本次培训由{person}主讲
{person}的账号被锁定，请管理员{person}解锁
{person}因操作失误导致数据丢失
会上{person}汇报了进展，{person}提出三点意见
供应商联系人是{person}，报价单找{surname}工要
仓库{person}签收，数量{num}件
司机{person}已出发，车牌{plate}
中介{person}带我看了{place}的房子
律师{person}代理此案，助理{person}
教练{person}安排了周末的课
月嫂{person}有五年经验
店长{person}和店员{person}都在
该论文由{person}等人完成，通讯作者{person}
"""

_PEOPLE_TW = """
{person}說他待會就到
我跟{person}約在{city}見面
老師請{person}上台報告
{person}的媽媽打電話來請假
聽說{person}要搬去{city}了
昨天{person}請大家喝飲料
「{person}，換你了。」教練喊道
{person}表示，安全措施都有落實
@{person} 檔案已經上傳，麻煩確認
委員：{person}、{person}、{person}
收貨人{person}，{phone}，{address}
致{person}先生：您的申請已核准
本人{person}同意上述條款
申請人：{person}　金額：{money}元
{person}和{person}是國中同學
房東{person}說水費另計
導演{person}與主角{person}出席記者會
轉帳給{person} {money}元
受益人{person}，關係：{relation}
值日生：{person}、{person}
"""

PEOPLE: dict[str, tuple[str, ...]] = {
    genre: tuple(block.strip("\n").splitlines())
    for genre, block in {
        "story": _STORY,
        "quote": _QUOTE,
        "list": _LIST,
        "table": _TABLE,
        "mention": _MENTION,
        "note": _NOTE,
        "letter": _LETTER,
        "work": _WORK,
        "people_tw": _PEOPLE_TW,
    }.items()
}
"""Templates by genre; genres whose names end in `_tw` are in traditional characters."""
