"""Word lists behind the values of slots: parts of company names, groups, dates, places, streets."""


def words(text: str) -> tuple[str, ...]:
    """What stands between white space."""
    return tuple(text.split())


def phrases(text: str) -> tuple[str, ...]:
    """What stands between semicolons; a line break is a space."""
    return tuple(" ".join(phrase.split()) for phrase in text.split(";"))


STEMS = words(
    """
    Acorn Apex Arbor Argent Astra Atlas Aurora Beacon Bluefin Bright Cobalt Copper Crest Delta Echo Ember Evergreen
    Falcon Fjord Granite Harbor Helio Horizon Indigo Iron Juniper Keystone Lark Lumen Lunar Maple Meridian Mosaic Nimbus
    Nord Nova Oakridge Orbit Orchid Pinnacle Pioneer Polar Prism Quantum Quill Raven Redwood Ridge Sable Sierra Silver
    Solstice Summit Tandem Terra Tidal Titan Umbra Vanguard Vela Vertex Vivid Willow Zenith Zephyr Kestrel Obsidian
    Saffron Tamarind Baobab Lotus Jacaranda Cedar Bamboo Monsoon
    """
)
TAILS = words(
    """
    soft tech data net works pay cart ly ify lab labs bank med care gen chem log ware scope wise flow point stack bit
    sys cloud path desk mart fin
    """
)
FIELDS = words(
    """
    Logistics Software Systems Foods Energy Pharma Capital Insurance Partners Consulting Media Textiles Airlines Motors
    Robotics Analytics Design Shipping Construction Mining Telecom Solutions Industries Bakery Electronics Travel
    Security Properties Health Biotech Brewing Chemicals Dental Plumbing Publishing Games Entertainment Furniture Steel
    Bank Supermarkets
    """
)
FORMS = words(
    """
    Inc. Inc Ltd Ltd. LLC GmbH AG S.A. SA Corp. Corporation Group Holdings PLC plc BV B.V. SpA Oy AB Pty S.L. Co.
    Company LLP KK
    """
)
COMPANIES = words(
    """
    Google Microsoft Amazon Apple Facebook Netflix Twitter Uber Airbnb Spotify IKEA Siemens Bosch BMW Volkswagen Toyota
    Honda Sony Samsung Huawei Lenovo Alibaba Tencent Nestlé Unilever Shell BP Total Airbus Boeing Lufthansa Emirates
    Ryanair Vodafone Orange Telefonica HSBC Barclays Santander UBS JPMorgan Visa Mastercard PayPal Stripe Oracle IBM
    Intel Nvidia SAP Adobe Salesforce Pfizer Novartis Bayer Roche Merck Walmart Tesco Carrefour Lidl Costco Starbucks
    Nike Adidas Zara UNICEF WHO NATO UN EU FBI NASA NHS BBC CNN Reuters DHL FedEx UPS Maersk Infosys Wipro Reliance
    Safaricom MTN Dangote Petrobras Embraer Pemex Cemex FIFA UEFA IMF OPEC CIA
    """
)
NATIONALITIES = words(
    """
    French German Spanish Italian Portuguese Dutch Belgian Austrian Swiss Polish Czech Slovak Hungarian Romanian
    Bulgarian Greek Croatian Serbian Ukrainian Russian Belarusian Lithuanian Latvian Estonian Finnish Swedish Norwegian
    Danish Icelandic Irish British English Scottish Welsh American Canadian Mexican Guatemalan Cuban Jamaican Haitian
    Colombian Venezuelan Peruvian Bolivian Chilean Argentinian Brazilian Turkish Georgian Armenian Iranian Iraqi Syrian
    Lebanese Jordanian Israeli Palestinian Saudi Qatari Yemeni Egyptian Libyan Tunisian Algerian Moroccan Sudanese
    Ethiopian Somali Kenyan Ugandan Tanzanian Rwandan Congolese Nigerian Ghanaian Senegalese Malian Cameroonian Zambian
    Zimbabwean Indian Pakistani Bangladeshi Nepali Afghan Kazakh Mongolian Chinese Taiwanese Japanese Korean Vietnamese
    Cambodian Thai Burmese Malaysian Singaporean Indonesian Filipino Australian Maori Fijian Samoan European African
    Asian Kurdish Roma Catalan Basque Tamil Punjabi Yoruba Igbo Zulu
    """
)
RELIGIONS = words(
    """
    Christian Catholic Protestant Orthodox Muslim Sunni Shia Jewish Hindu Buddhist Sikh Jain Mormon Baptist Methodist
    Lutheran Anglican Evangelical Pentecostal Quaker Baha'i Zoroastrian Taoist Islamic Presbyterian
    """
)
POLITICS = words(
    """
    Democratic Republican Conservative Labour Socialist Communist Liberal Tory Marxist Green Libertarian Democrat
    Social-Democratic Peronist Maoist Zionist
    """
)
PEOPLES = words(
    """
    Americans Canadians Germans Italians Russians Ukrainians Indians Nigerians Kenyans Brazilians Mexicans Colombians
    Australians Koreans Greeks Turks Kurds Poles Swedes Danes Finns Scots Spaniards Filipinos Indonesians Egyptians
    Moroccans Syrians Iranians Somalis Ethiopians Ghanaians Pakistanis Israelis Palestinians Catholics Protestants
    Muslims Jews Hindus Buddhists Sikhs Christians Mormons Democrats Republicans Conservatives Liberals Socialists
    Communists Tories Marxists
    """
)
RANKS = words(
    """
    Dr Dr. Dr. Dr Doctor Prof. Prof Professor Captain Capt. Sergeant Sgt. Officer Judge Justice Senator President
    Colonel Major Lieutenant Lt. General Reverend Rev. Rabbi Imam Bishop Inspector Detective Chancellor Minister
    Ambassador Councillor Coach
    """
)
MONTHS = words(
    """
    January February March April May June July August September October November December
    """
)
DAYS = words(
    """
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday
    """
)
THINGS = words(
    """
    invoice report parcel contract laptop refund ticket payment schedule presentation printer budget order key form
    sample draft subscription warranty password spreadsheet complaint bicycle sofa translation permit
    """
)
ORGANIZATIONS = phrases(
    """
    Red Cross; World Bank; European Commission; Goldman Sachs; Morgan Stanley; Deutsche Bank; Bank of America; Wells
    Fargo; General Motors; British Airways; Air France; Tata Motors; State Bank of India; Procter & Gamble; Johnson &
    Johnson; Ernst & Young; Royal Mail; Doctors Without Borders; Amnesty International; Real Madrid; Manchester United;
    Bayern Munich; New York Times; The Guardian; Department of Justice; Ministry of Health; Home Office; Supreme Court;
    European Union; United Nations; World Health Organization; Harvard University; University of Oxford; MIT; Stanford;
    Mayo Clinic; Standard Chartered; Kenya Airways; Ford; Mercedes-Benz; Coca-Cola
    """
)
PAST = phrases(
    """
    yesterday; this morning; last night; last week; last month; last year; two weeks ago; three days ago; an hour ago; a
    month ago; six months ago; earlier today; yesterday afternoon; the day before yesterday; five years ago; last
    winter; 20 minutes ago; last summer; last weekend; a week ago; yesterday evening; earlier this week
    """
)
FUTURE = phrases(
    """
    tomorrow; tonight; this afternoon; this evening; next week; next month; next year; this weekend; the day after
    tomorrow; in two weeks; in 10 minutes; later today; tomorrow morning; tomorrow night; end of the month; in three
    months; next summer; in half an hour; tmrw; at the weekend; later this week; in a few days
    """
)
RELATIVE = ("today", "this week", "this month", *PAST, *FUTURE)
PRODUCTS = phrases(
    """
    Galaxy S23; iPhone 15; ThinkPad X1; Surface Pro; Model 3; Jordan 4 Retro; Chelsea boots; Oxford shirt; Java 21;
    Excel; Photoshop; Raspberry Pi; PlayStation 5; Kindle; Corolla; Civic; Pixel 8; Focus; Mercury; AirPods; Bluetooth
    speaker; Moleskine notebook; Madeira cake; Dijon mustard; Jaffa cakes; Phoenix framework; Django; Jenkins; Docker;
    Kafka; Ruby on Rails; Alexa; Siri; Cortana; Bali sofa; Savannah dress; Austin desk lamp; Victoria sponge; Chelsea
    bun; Windsor knot tie; Sharpie; Earl Grey; Old Fashioned; Caesar salad; Margherita pizza; Eames chair; Celsius probe
    """
)
ROLES = phrases(
    """
    engineer; nurse; account manager; project lead; receptionist; driver; teacher; sales rep; CEO; CFO; head of HR; data
    analyst; electrician; lawyer; consultant; store manager; developer; cashier; director; intern; site manager;
    pharmacist; carer; translator; auditor
    """
)
TOPICS = phrases(
    """
    quarterly numbers; the new office; late delivery; account access; health insurance; onboarding; water damage; broken
    heating; lost luggage; the school trip; parking; the rental contract; salary review; blood results; the merger; visa
    papers; exam results; wrong invoice
    """
)
CITIES = phrases(
    """
    London; Manchester; Birmingham; Leeds; Glasgow; Edinburgh; Cardiff; Belfast; Bristol; Liverpool; Oxford; Cambridge;
    York; Bath; Brighton; Reading; Hull; Dublin; Cork; Galway; Limerick; Paris; Lyon; Marseille; Nice; Toulouse; Nantes;
    Lille; Berlin; Munich; Hamburg; Cologne; Frankfurt; Stuttgart; Leipzig; Dresden; Vienna; Graz; Salzburg; Zurich;
    Geneva; Basel; Bern; Amsterdam; Rotterdam; The Hague; Utrecht; Brussels; Antwerp; Ghent; Madrid; Barcelona;
    Valencia; Seville; Bilbao; Lisbon; Porto; Rome; Milan; Naples; Turin; Florence; Venice; Palermo; Athens;
    Thessaloniki; Copenhagen; Aarhus; Oslo; Bergen; Stockholm; Gothenburg; Malmö; Helsinki; Tampere; Reykjavik; Warsaw;
    Kraków; Gdańsk; Prague; Brno; Bratislava; Budapest; Bucharest; Cluj-Napoca; Sofia; Plovdiv; Belgrade; Zagreb; Split;
    Ljubljana; Sarajevo; Skopje; Tirana; Kyiv; Lviv; Odesa; Kharkiv; Minsk; Vilnius; Riga; Tallinn; Moscow; Saint
    Petersburg; Kazan; Novosibirsk; Istanbul; Ankara; Izmir; Tbilisi; Yerevan; Baku; Almaty; Tashkent; Tehran; Isfahan;
    Baghdad; Basra; Erbil; Damascus; Aleppo; Beirut; Amman; Jerusalem; Tel Aviv; Haifa; Ramallah; Gaza; Riyadh; Jeddah;
    Mecca; Doha; Dubai; Abu Dhabi; Muscat; Manama; Kuwait City; Sana'a; Cairo; Alexandria; Tripoli; Tunis; Algiers;
    Oran; Casablanca; Rabat; Marrakesh; Fes; Khartoum; Addis Ababa; Nairobi; Mombasa; Kampala; Kigali; Dar es Salaam;
    Lagos; Abuja; Kano; Ibadan; Accra; Kumasi; Dakar; Bamako; Abidjan; Ouagadougou; Lomé; Douala; Yaoundé; Kinshasa;
    Luanda; Lusaka; Harare; Maputo; Windhoek; Gaborone; Johannesburg; Pretoria; Cape Town; Durban; Antananarivo;
    Mogadishu; Freetown; Delhi; New Delhi; Mumbai; Bangalore; Bengaluru; Chennai; Kolkata; Hyderabad; Pune; Jaipur;
    Lucknow; Ahmedabad; Kochi; Karachi; Lahore; Islamabad; Peshawar; Dhaka; Chittagong; Colombo; Kandy; Kathmandu;
    Kabul; Beijing; Shanghai; Shenzhen; Guangzhou; Chengdu; Wuhan; Hangzhou; Nanjing; Xi'an; Hong Kong; Macau; Taipei;
    Kaohsiung; Tokyo; Osaka; Kyoto; Nagoya; Sapporo; Fukuoka; Hiroshima; Seoul; Busan; Incheon; Daegu; Pyongyang;
    Ulaanbaatar; Hanoi; Ho Chi Minh City; Da Nang; Hue; Bangkok; Chiang Mai; Phuket; Phnom Penh; Vientiane; Yangon;
    Kuala Lumpur; Penang; Johor Bahru; Singapore; Jakarta; Surabaya; Bandung; Denpasar; Manila; Cebu; Davao; Quezon
    City; Sydney; Melbourne; Brisbane; Perth; Adelaide; Hobart; Darwin; Canberra; Auckland; Wellington; Christchurch;
    Dunedin; Suva; Apia; Honolulu; New York; Los Angeles; Chicago; Houston; Phoenix; Philadelphia; San Antonio; San
    Diego; Dallas; Austin; San Francisco; Seattle; Denver; Boston; Detroit; Nashville; Memphis; Portland; Las Vegas;
    Baltimore; Milwaukee; Atlanta; Miami; Tampa; Orlando; Cleveland; Pittsburgh; St. Louis; Kansas City; New Orleans;
    Salt Lake City; Sacramento; Charlotte; Columbus; Indianapolis; Minneapolis; Buffalo; Anchorage; Toronto; Montreal;
    Vancouver; Ottawa; Calgary; Edmonton; Winnipeg; Halifax; Quebec City; Mexico City; Guadalajara; Monterrey; Puebla;
    Tijuana; Cancún; Guatemala City; San Salvador; Tegucigalpa; Managua; San José; Panama City; Havana; Kingston;
    Port-au-Prince; Santo Domingo; San Juan; Bogotá; Medellín; Cali; Cartagena; Caracas; Maracaibo; Quito; Guayaquil;
    Lima; Cusco; Arequipa; La Paz; Santa Cruz; Asunción; Montevideo; Buenos Aires; Córdoba; Rosario; Mendoza; Santiago;
    Valparaíso; São Paulo; Rio de Janeiro; Brasília; Salvador; Recife; Fortaleza; Belo Horizonte; Curitiba; Porto
    Alegre; Manaus; NYC; LA; DC; Springfield; Riverside; Aurora; Georgetown; Lancaster; Plymouth; Norwich; Sheffield;
    Leicester; Coventry; Nottingham; Southampton; Preston; Swindon; Luton; Worcester; Derby
    """
)
COUNTRIES = phrases(
    """
    France; Germany; Spain; Italy; Portugal; Netherlands; the Netherlands; Belgium; Austria; Switzerland; Poland;
    Czechia; Slovakia; Hungary; Romania; Bulgaria; Greece; Croatia; Serbia; Slovenia; Ukraine; Russia; Belarus;
    Lithuania; Latvia; Estonia; Finland; Sweden; Norway; Denmark; Iceland; Ireland; United Kingdom; the UK; UK; England;
    Scotland; Wales; Northern Ireland; United States; the US; USA; U.S.; America; Canada; Mexico; Guatemala; Honduras;
    El Salvador; Nicaragua; Costa Rica; Panama; Cuba; Jamaica; Haiti; Dominican Republic; Colombia; Venezuela; Ecuador;
    Peru; Bolivia; Chile; Argentina; Uruguay; Paraguay; Brazil; Turkey; Georgia; Armenia; Azerbaijan; Iran; Iraq; Syria;
    Lebanon; Jordan; Israel; Palestine; Saudi Arabia; Qatar; Kuwait; Bahrain; Oman; Yemen; United Arab Emirates; the
    UAE; Egypt; Libya; Tunisia; Algeria; Morocco; Sudan; South Sudan; Ethiopia; Eritrea; Somalia; Kenya; Uganda;
    Tanzania; Rwanda; Burundi; DR Congo; Nigeria; Ghana; Senegal; Mali; Ivory Coast; Cameroon; Gabon; Angola; Zambia;
    Zimbabwe; Mozambique; Namibia; Botswana; South Africa; Lesotho; Madagascar; Mauritius; Sierra Leone; Liberia; The
    Gambia; Togo; Benin; Niger; Chad; India; Pakistan; Bangladesh; Sri Lanka; Nepal; Bhutan; Maldives; Afghanistan;
    Kazakhstan; Uzbekistan; Kyrgyzstan; Tajikistan; Mongolia; China; Taiwan; Japan; South Korea; North Korea; Vietnam;
    Laos; Cambodia; Thailand; Myanmar; Malaysia; Singapore; Indonesia; Philippines; the Philippines; Brunei; East Timor;
    Papua New Guinea; Australia; New Zealand; Fiji; Samoa; Tonga; Vanuatu; Malta; Cyprus; Luxembourg; Monaco; Andorra;
    Kosovo; North Macedonia; Albania; Moldova; Bosnia and Herzegovina; Montenegro; Trinidad and Tobago; Barbados;
    Guyana; Suriname
    """
)
REGIONS = phrases(
    """
    Bavaria; Saxony; Tuscany; Sicily; Lombardy; Catalonia; Andalusia; Normandy; Brittany; Provence; Flanders; Wallonia;
    Galicia; Yorkshire; Kent; Cornwall; Devon; Essex; Surrey; Sussex; Lancashire; Norfolk; County Kerry; California;
    Texas; Florida; Ohio; Illinois; Virginia; Georgia; Michigan; Oregon; Washington State; Nevada; Arizona; Montana;
    Alaska; Hawaii; New Jersey; Massachusetts; Ontario; Quebec; Alberta; British Columbia; Nova Scotia; Jalisco;
    Chiapas; Yucatán; Patagonia; Minas Gerais; Bahia; Queensland; New South Wales; Victoria; Tasmania; Punjab; Kerala;
    Gujarat; Tamil Nadu; West Bengal; Uttar Pradesh; Maharashtra; Sindh; Kashmir; Tibet; Sichuan; Yunnan; Guangdong;
    Hokkaido; Okinawa; Bali; Java; Sumatra; Mindanao; Kurdistan; Anatolia; Silesia; Transylvania; Crimea; Siberia;
    Lapland; Scandinavia; the Balkans; the Midwest; New England; the Middle East; West Africa; Latin America; Southeast
    Asia; Eastern Europe; Europe; Africa; Asia; South America; North Island; the Highlands; Gauteng; KwaZulu-Natal;
    Ashanti Region; Rift Valley
    """
)
LANDMARKS = phrases(
    """
    Central Park; Heathrow; Lake Geneva; the Alps; Mount Kenya; Soho; Brooklyn; Manhattan; Queens; Camden; Kreuzberg;
    Shibuya; Bondi Beach; Lake Victoria; the Nile; Times Square; the Thames; Hyde Park; Gatwick; JFK; Changi Airport;
    Silicon Valley; Harlem; Bandra; Gulshan; Yaba; Westlands; Lekki; Polanco; Palermo Soho; Copacabana; the Black Sea;
    the Danube; Loch Ness; Table Mountain; Mount Fuji
    """
)
STREET_NAMES = words(
    """
    Oak Maple Cedar Pine Elm Church Station Mill Park Lake Hill River Spring Meadow Victoria King Queen High Main Market
    Bridge School Garden Forest Sunset Highland Willow Chestnut Orchard Abbey Castle Harbour Union Liberty Franklin
    Lincoln Washington Jackson Green North South West East Second Third Fifth Albert George Manor Grove Rose Heather
    Birch Juniper Canal Railway Windmill Priory College
    """
)
US_STREETS = words(
    """
    Street St St. Avenue Ave Ave. Road Rd Rd. Lane Ln Drive Dr Court Ct Boulevard Blvd Way Place Pl Terrace Circle
    Parkway
    """
)
UK_STREETS = words(
    """
    Street Road Lane Avenue Close Drive Gardens Grove Crescent Terrace Way Place Hill Walk Mews Square St Rd
    """
)
US_STATES = words(
    """
    AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI
    SC SD TN TX UT VT VA WA WV WI WY
    """
)
CANADIAN_PROVINCES = words(
    """
    ON QC BC AB MB NS SK NB
    """
)
AUSTRALIAN_STATES = words(
    """
    NSW VIC QLD WA SA TAS ACT NT
    """
)
