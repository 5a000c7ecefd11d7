"""The built-in texts: for calibration, for the parity gate, and as golden inputs. Written for this project.

They vary in length, register, script and layout, because what a quantized model gets wrong first is what its
calibration never showed it. Nothing here is anybody's data.
"""

from collections.abc import Sequence

CALIBRATION: tuple[str, ...] = (
    "Hi!",
    "Where is my parcel?",
    "I would like to change the address on my account before the next invoice goes out.",
    "The battery lasts two days, the screen is bright, and the camera is better than I expected for the price.",
    "Terrible service. We waited ninety minutes for cold soup and nobody apologised.",
    "What time does the last train to the coast leave on Sundays, and can I take a bicycle on it?",
    "Please cancel order 48-1187 and refund the card I paid with.",
    "The committee met on Tuesday to review the budget, postponed the vote on the new library, and agreed to publish "
    "the minutes within a week. Members asked for a clearer breakdown of heating costs, since last winter's figures had "
    "been estimated rather than measured. The treasurer promised to send a table to everyone by Friday.",
    "turn off the lights in the kitchen and set a timer for twelve minutes",
    "Photosynthesis converts light energy into chemical energy, which plants store as sugars and use for growth.",
    "lol that was so bad it was good 😂😂 can't wait for part two!!!",
    "ERROR 2031: connection reset by peer while reading the response header (attempt 3 of 5), retrying in 8s",
    "def mean(values): return sum(values) / len(values) if values else 0.0",
    "Mix the flour, a pinch of salt and two eggs; add milk slowly, stirring until the batter is smooth, then let it rest.",
    "The river rose four metres in six hours. By dawn the lower bridge was under water and the school had become a shelter.",
    "Is there a pharmacy open near the station after 10 pm?",
    "Quarterly revenue grew 7.4% to $38.2 million, while operating margin narrowed from 12.1% to 11.6%.",
    "She closed the door, counted to ten, and opened it again: the room was empty.",
    "Dear Sir or Madam, I am writing to complain about the noise from the building site opposite our office.",
    "no",
    "我想查询一下我的订单什么时候能送到。",
    "这家餐厅的菜很好吃，服务员也很热情，就是价格稍微有点贵。",
    "请帮我把明天下午三点的会议改到后天上午十点，并通知所有参加的人。",
    "昨天夜里下了一场大雪，机场关闭了六个小时，许多旅客只能在候机厅里过夜。航空公司表示，受影响的乘客可以免费改签，"
    "也可以申请全额退款。",
    "人工智能正在改变许多行业的工作方式，但它也带来了新的问题。",
    "¿Dónde puedo recoger mi paquete si no estoy en casa por la tarde?",
    "La película empieza despacio, pero el final es inolvidable.",
    "Je voudrais réserver une table pour quatre personnes samedi soir, près de la fenêtre si possible.",
    "Le musée est fermé le mardi ; les billets restent valables un mois.",
    "Der Vertrag verlängert sich um ein Jahr, wenn er nicht drei Monate vor Ablauf gekündigt wird.",
    "Können Sie mir bitte sagen, wie ich zum Hauptbahnhof komme?",
    "Il pacco è arrivato danneggiato e vorrei sapere come posso restituirlo.",
    "Onde fica a estação de metrô mais próxima?",
    "Доставка задерживается на два дня из-за непогоды.",
    "Спасибо, всё работает отлично!",
    "配送が遅れているようですが、いつ届きますか。",
    "映画はとても面白かったです。もう一度見たいと思います。",
    "주문한 상품을 교환하고 싶은데 어떻게 해야 하나요?",
    "أين يمكنني تغيير كلمة المرور الخاصة بي؟",
    "मुझे अपने खाते का विवरण कहाँ मिलेगा?",
    "Siparişim hâlâ gelmedi, durumunu öğrenebilir miyim?",
    "Kedy bude otvorená pokladňa na hlavnej stanici?",
    "Name: ________  Date: 2021-03-14  Room: 12B  Signature: ________",
    "- milk\n- bread\n- 3 lemons\n- washing powder",
    "The contract shall be governed by the laws of the country in which the supplier has its registered office. Any dispute "
    "arising out of it shall first be submitted to mediation; if mediation fails within sixty days, either party may bring "
    "the matter before the competent court. Nothing in this clause prevents a party from seeking urgent relief.",
    "My grandmother kept bees. Every August she let us taste the first comb, still warm, and told us which field each flavour "
    "came from: clover from the hill, lime from the avenue, and the dark one, which nobody else liked, from the chestnut wood.",
    "Are you sure? I mean, are you really, really sure?",
    "Vaccination reduced hospital admissions by roughly two thirds in the oldest group.",
    "The match ended 2–2 after extra time; the home side missed three penalties.",
    "https://www.example.com/docs/getting-started#install shows how to set it up",
    "WHY IS THIS STILL BROKEN AFTER THREE UPDATES",
    "it's fine i guess, nothing special but it does what it says",
    "To whom it may concern: the enclosed samples were collected on the north shore between May and July.",
    "Play something calm, maybe piano, not too loud.",
    "The old theory predicted a single peak. The measurements show two, and the second one moves with temperature.",
    "x² + y² = r², so r = √(x² + y²) ≈ 5.39",
    "Transfer 250 euros from my savings to my current account on the first of every month.",
    "Nobody told me the shop had moved; I stood in front of an empty window for a quarter of an hour.",
    "The software update fixes a bug that could drain the battery overnight, adds a dark theme, and drops support for "
    "devices released before 2016. Users who rely on the old synchronisation service should export their data before "
    "installing it, because the new format cannot be read by earlier versions.",
    "What's the difference between a debit card and a credit card?",
)
"""Calibration texts. Models fine-tuned on a narrow domain gain from their own (`--calibration`)."""

_LONG = " ".join(CALIBRATION)

EDGE_CASES: tuple[str, ...] = (
    "",
    " ",
    "a",
    "?",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
    "e\u0301 n\u0303 a\u030a — combining marks",
    "\u200b\u00a0\ufeff",
    "日本語とEnglishと中文mixed文",
    "𝒜𝓁𝓅𝒽𝒶 𝟙𝟚𝟛",
    "word " * 40,
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "....................!!!!!!!!!!!!!!!!!!!!????????????????????",
    "\t\n\r\n",
    "ПРИВЕТ мир",
)

PROBES: tuple[str, ...] = (
    "The delivery came a day early and everything was packed with care.",
    "I have been charged twice for the same ticket.",
    "Where can I find the nearest cash machine?",
    "The plot makes no sense and the acting is worse.",
    "Remind me to call the dentist tomorrow morning.",
    "Glaciers in the region have lost a third of their volume since 1980, and the loss is accelerating.",
    "could u plz send me the link again thx",
    "The museum's new wing holds paintings from the seventeenth century, most of them shown for the first time. Visitors "
    "enter through a narrow corridor, turn left past the staircase, and find themselves in a room without windows.",
    "How do I reset my password if I no longer have access to my e-mail?",
    "It works, but only after you restart it three times.",
    "这个手机的电池不太耐用，一天要充两次电。",
    "请问从机场到市中心怎么走最方便？",
    "我们的团队花了三个月的时间完成了这个项目，客户对结果非常满意。",
    "¿Cuánto cuesta el envío a las islas?",
    "Ce livre m'a profondément touché, je le recommande à tous.",
    "Die Rechnung stimmt nicht, bitte prüfen Sie den zweiten Posten.",
    "Погода сегодня прекрасная, пойдём гулять.",
    "この商品の返品方法を教えてください。",
    "배송이 너무 늦어서 실망했어요.",
    "Net profit fell by 3.1 percent in the first half, according to figures released on Thursday.",
    "Stop the music.",
    "The recipe calls for 200 g of sugar, 3 eggs, and the juice of one lemon.",
    "My flight was cancelled and the airline has not answered for a week.",
    "Best purchase of the year!",
)

CONTEXTS: tuple[tuple[str, str], ...] = (
    (
        "How high did the river rise?",
        "The river rose four metres in six hours. By dawn the lower bridge was under water and the school had become a "
        "shelter for the people of the valley.",
    ),
    ("博物馆星期几关门？", "博物馆星期二关门，其他时间从上午九点开放到下午五点。门票在一个月之内有效。"),
    ("Who kept bees?", "My grandmother kept bees. Every August she let us taste the first comb, still warm."),
    ("", "An empty question still has a context."),
    ("What is missing?", "?"),
)


def probes(window: int) -> list[str]:
    """Texts for the parity gate: edge cases, ordinary texts, and long ones, some far over a window of that many tokens."""
    lengths = [step * window // 2 for step in (1, 2, 4, 8)]
    return [*EDGE_CASES, *PROBES, *(_repeat(length) for length in lengths)]


def _repeat(characters: int) -> str:
    return (_LONG * (characters // len(_LONG) + 1))[:characters]


def with_masks(texts: Sequence[str], mask: str) -> list[str]:
    """Texts with a word near their beginning replaced by a mask, longer ones with a second one; never past a window."""
    found = []
    for text in texts:
        words = text.split(" ")
        if len(words) < 3:
            words.insert(0, mask)
        else:
            words[2] = mask
        if len(words) > 12:
            words[len(words) // 2] = mask
        found.append(" ".join(words))
    return found
