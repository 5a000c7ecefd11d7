"""Romanised names of origins whose Faker locale has no Latin script, or too short a list. Common names, written for this project."""

from collections.abc import Sequence

from .words import words


def _given(first: str, second: str) -> tuple[str, ...]:
    """Given names of two syllables, as Chinese and Korean ones are made: `Meiling`."""
    return tuple(a + b for a in words(first) for b in words(second) if a.lower() != b)


# language: (women's first names, men's first names, last names, or pairs of women's and men's last names as "female/male")
ROMANISED: dict[str, tuple[Sequence[str], Sequence[str], Sequence[str]]] = {
    "russian": (
        words(
            "Anastasia Ekaterina Olga Irina Svetlana Tatiana Natalia Yulia Elena Ksenia Polina Daria Galina Lyudmila Nadezhda "
            "Oksana Vera Marina Alina Yana Larisa Valentina Alyona Kira Zoya Evgenia Lyubov Raisa Snezhana Varvara Milana Ulyana"
        ),
        words(
            "Aleksandr Dmitry Sergei Andrei Alexei Mikhail Ivan Nikolai Vladimir Pavel Yuri Igor Oleg Evgeny Maxim Artyom "
            "Konstantin Viktor Roman Boris Grigory Kirill Anatoly Vadim Timur Ruslan Stepan Fyodor Gennady Leonid Ilya Denis"
        ),
        words(
            "Ivanova/Ivanov Smirnova/Smirnov Kuznetsova/Kuznetsov Popova/Popov Sokolova/Sokolov Lebedeva/Lebedev Kozlova/Kozlov "
            "Novikova/Novikov Morozova/Morozov Petrova/Petrov Volkova/Volkov Solovyova/Solovyov Vasilyeva/Vasilyev Zaitseva/Zaitsev "
            "Pavlova/Pavlov Semyonova/Semyonov Golubeva/Golubev Vinogradova/Vinogradov Bogdanova/Bogdanov Vorobyova/Vorobyov "
            "Fedorova/Fedorov Mikhailova/Mikhailov Belyaeva/Belyaev Tarasova/Tarasov Belova/Belov Komarova/Komarov Orlova/Orlov "
            "Kiseleva/Kiselev Makarova/Makarov Andreeva/Andreev Kovalyova/Kovalyov Gusev/Gusev Titova/Titov Kuzmina/Kuzmin "
            "Kudryavtseva/Kudryavtsev Baranova/Baranov Chernova/Chernov Dostoevskaya/Dostoevsky Zhukovskaya/Zhukovsky"
        ),
    ),
    "ukrainian": (
        words(
            "Oksana Nataliya Olena Iryna Halyna Kateryna Yuliia Solomiya Bohdana Lesia Zoriana Mariana Khrystyna Vira Nadiia "
            "Myroslava Ruslana Daryna Viktoriia Svitlana Uliana Yaryna Anzhela Tetiana"
        ),
        words(
            "Oleksandr Volodymyr Andriy Serhiy Mykola Mykhailo Bohdan Taras Vasyl Ihor Yaroslav Dmytro Petro Yevhen Ostap Roman "
            "Oleh Viktor Stepan Danylo Nazar Maksym Vitaliy Hryhoriy"
        ),
        words(
            "Shevchenko Kovalenko Bondarenko Tkachenko Kravchenko Oliynyk Lysenko Melnyk Polishchuk Boyko Koval Rudenko Marchenko "
            "Savchenko Petrenko Moroz Hrytsenko Pavlenko Zelenko Kostenko Kharchenko Tymoshenko Yushchenko Honchar Zabolotnyi "
            "Vasylenko Danylenko Sydorenko Klymenko Hnatiuk Romaniuk Levchenko"
        ),
    ),
    "polish": (
        words(
            "Agnieszka Katarzyna Magdalena Joanna Aleksandra Zofia Hanna Wiktoria Maja Natalia Barbara Krystyna Iwona Grażyna "
            "Dorota Jadwiga Beata Renata Ewa Lidia Marta Kinga Weronika Danuta"
        ),
        words(
            "Krzysztof Andrzej Tomasz Paweł Michał Marcin Grzegorz Jerzy Piotr Wojciech Zbigniew Łukasz Mateusz Jakub Kacper "
            "Szymon Bartosz Stanisław Janusz Rafał Dariusz Adam Kamil Maciej"
        ),
        words(
            "Nowak Kowalska/Kowalski Wiśniewska/Wiśniewski Wójcik Kowalczyk Kamińska/Kamiński Lewandowska/Lewandowski "
            "Zielińska/Zieliński Szymańska/Szymański Woźniak Dąbrowska/Dąbrowski Kozłowska/Kozłowski Jankowska/Jankowski Mazur "
            "Wojciechowska/Wojciechowski Kwiatkowska/Kwiatkowski Krawczyk Kaczmarek Piotrowska/Piotrowski Grabowska/Grabowski "
            "Zając Pawłowska/Pawłowski Michalska/Michalski Król Wieczorek Jabłońska/Jabłoński Wróbel Nowakowska/Nowakowski "
            "Majewska/Majewski Olszewska/Olszewski Stępień Malinowska/Malinowski Jaworska/Jaworski Adamczyk Dudek Nowicka/Nowicki"
        ),
    ),
    "balkan": (
        words(
            "Jelena Milica Dragana Ivana Jovana Snežana Vesna Gordana Ljiljana Teodora Desislava Gergana Ralitsa Tsvetelina "
            "Elitsa Yordanka Bilyana Marija Biljana Eleni Katerina Sofia Vasiliki Ioanna Despina Eirini Dimitra Panagiota"
        ),
        words(
            "Dragan Nemanja Miloš Stefan Zoran Goran Dejan Slobodan Aleksandar Nikola Vladislav Plamen Krasimir Stoyan Hristo "
            "Dimitar Georgi Ivaylo Boyko Yiannis Georgios Konstantinos Dimitrios Nikolaos Panagiotis Vasilis Christos Stavros"
        ),
        words(
            "Jovanović Petrović Nikolić Marković Đorđević Stojanović Ilić Stanković Pavlović Milošević Dimitrov Todorov Angelov "
            "Kolev Stoyanov Yordanov Borisov Georgiev Hristov Papadopoulos Vlachos Angelopoulos Nikolaidis Georgiou Petridis "
            "Athanasiou Karagiannis Oikonomou Konstantinou Makris Katsaros Antoniou Ioannidis Pappas"
        ),
    ),
    "arabic": (
        words(
            "Fatima Aisha Maryam Layla Noor Huda Amina Khadija Zainab Salma Rania Yasmin Hanan Samira Nadia Farah Dina Leila "
            "Mona Reem Sara Amal Iman Rasha Lamia Widad Ghada Souad Nawal Hiba Maha Suha Basma Dalal Rahaf Lubna Shahd Intisar"
        ),
        words(
            "Mohammed Ahmed Ali Omar Khalid Hassan Hussein Ibrahim Youssef Mustafa Mahmoud Abdullah Tariq Karim Samir Faisal "
            "Nasser Rashid Bilal Hamza Ziad Walid Jamal Adel Saif Majid Anas Yasin Sultan Fahad Munir Hisham Nabil Imad Osama "
            "Abdulrahman Marwan Rami Qasim Haytham"
        ),
        [
            *words(
                "Al-Hassan Al-Rashid Haddad Khoury Mansour Nasser Saleh Hamdan Farouk Aziz El-Sayed Al-Qahtani Al-Otaibi Darwish "
                "Shaheen Najjar Sabbagh Kassab Al-Masri Bouazizi Benali El-Amrani Benjelloun Zaki Abdelrahman Haidar Suleiman Awad "
                "Issa Barakat Hijazi Al-Maktoum Al-Harbi Ghanem Qureshi Jaber Al-Tamimi Tahan Boutros Mikhael Taha Alami Ouazzani"
            ),
            "bin Salman",
            "bin Rashid",
            "Abu Bakr",
            "Abu Zaid",
            "Al Shamsi",
            "Al Mazrouei",
            "bint Khalifa",
            "ibn Yusuf",
        ],
    ),
    "persian": (
        words(
            "Shirin Parisa Niloufar Mahsa Azadeh Nasrin Zahra Mina Golnaz Roya Setareh Laleh Fereshteh Bahar Maryam Elham Narges "
            "Sepideh Taraneh Yalda"
        ),
        words(
            "Reza Mehdi Hossein Amir Behrouz Dariush Farhad Kamran Navid Omid Siavash Babak Arash Kourosh Saeed Mahdi Majid Payam "
            "Shahram Vahid"
        ),
        words(
            "Hosseini Ahmadi Mohammadi Karimi Rezaei Moradi Jafari Rahimi Ebrahimi Sadeghi Mousavi Tehrani Esfahani Shirazi "
            "Ghorbani Norouzi Bagheri Farahani Kazemi Zamani Khorasani Yazdani Pahlavi Soltani"
        ),
    ),
    "hebrew": (
        words(
            "Tamar Noa Yael Shira Ayelet Michal Hila Orly Rivka Avital Einat Inbal Keren Liat Maayan Sivan Adi Ronit"
        ),
        words("Yossi Avi Eitan Noam Amir Gilad Ori Yaakov Moshe Shlomo Nadav Itai Ehud Yitzhak Dov Uri Asaf Boaz Lior"),
        words(
            "Cohen Levi Mizrahi Peretz Biton Dahan Avraham Friedman Malka Azoulay Katz Ohayon Hadad Gabay Ben-David Amar "
            "Shapira Segal Ben-Ari Golan Barak Rosenberg Yosef Eliyahu"
        ),
    ),
    "bengali": (
        words(
            "Nusrat Farzana Tahmina Sharmin Rokeya Anjali Moumita Sohini Rupa Ayesha Nasima Sumaiya Riya Shreya Mitali Jhuma"
        ),
        words(
            "Arif Rafiq Shakib Tanvir Mizanur Subrata Anirban Debashish Kamal Jahangir Rakib Sajib Partha Sourav Habib Tapan"
        ),
        words(
            "Rahman Hossain Chowdhury Islam Banerjee Mukherjee Chatterjee Ghosh Bose Sarkar Akhtar Begum Miah Sikder Talukder "
            "Bhattacharya Ganguly Dutta Uddin Mondal"
        ),
    ),
    "lankan_tamil": (
        words(
            "Lakshmi Meenakshi Kavitha Thilini Dilhani Nadeeka Priyadarshini Saraswathi Revathi Chamari Sanduni Vasanthi Sangeetha "
            "Abirami Ishara Malathi"
        ),
        words(
            "Murugan Karthik Senthil Chaminda Nuwan Kumara Prasanna Suresh Balaji Dinesh Ruwan Lasith Arjuna Mahela Vignesh Ganesan"
        ),
        words(
            "Perera Fernando Jayawardena Wickramasinghe Rajapaksa Gunawardena Subramaniam Ramanathan Sivakumar Krishnamurthy "
            "Venkataraman Balasubramanian Dissanayake Bandara Selvaraj Natarajan Ranatunga Sundaram Thiruvengadam Karunaratne"
        ),
    ),
    "pakistani": (
        words(
            "Ayesha Sana Hina Saba Mehwish Bushra Rabia Sidra Uzma Nadia Komal Iqra Maryam Zara Shazia Fariha Saima Amna Mahnoor "
            "Benazir Rukhsana Tayyaba"
        ),
        words(
            "Imran Usman Bilal Asif Zeeshan Faisal Waqas Shahid Nawaz Adnan Kamran Salman Junaid Hamza Danish Tariq Arshad Zubair "
            "Babar Rizwan Shoaib Fawad"
        ),
        words(
            "Khan Malik Butt Chaudhry Qureshi Sheikh Hussain Raza Bhatti Siddiqui Mirza Baig Akram Iqbal Javed Gilani Abbasi "
            "Niazi Sharif Afridi Rajput Awan Ansari Memon"
        ),
    ),
    "chinese": (
        (
            *words(
                "Xiaoling Meiling Yuting Jiaying Xinyi Lihua Yanling Huiling Fangfang Meixiu Qingqing Wenjing Shufen Yawen Peishan "
                "Siyu Xueqin Lanying Yifei Ruolan Zihan Mengyao Jinghua Xiaoyan Chunhua Guifang Shuzhen Yulan Liting Tingting Wanyi "
                "Jing Fang Min Na Ying Hui Juan Xia Yan Ting Mei Li-Hua Hsiao-Mei Wing-Yan Ka-Man Sze-Wing"
            ),
            *_given(
                "Mei Xiao Li Hui Yan Jing Xue Ya Shu Lan Wen Yu Fang Qiu Chun",
                "ling yun hua juan fen mei qing ying xia lian yan na ping zhen rong",
            ),
        ),
        (
            *words(
                "Jianguo Xiaoming Zhiwei Junjie Haoran Weiming Guoqiang Jianhua Zhigang Wenbin Yichen Mingze Zihao Dawei Yong Qiang "
                "Lei Jun Wei Tao Peng Bin Chao Gang Hao Kai Bo Zhen Shaohua Guangming Yuxuan Jiahao Tianyu Chengzhi Zhenghao Libin "
                "Chih-Ming Chun-Hao Chi-Wai Ka-Fai Wing-Kit Siu-Ming"
            ),
            *_given(
                "Jian Zhi Guo Wei Jun Ming Zhen Hong Yong De Shao Hai Xiang Bo Zi",
                "hua ming qiang jun feng bin long wei jie hui hai sheng lin cheng rui",
            ),
        ),
        words(
            "Wang Li Zhang Liu Chen Yang Huang Zhao Wu Zhou Xu Sun Ma Zhu Hu Guo He Lin Gao Luo Zheng Liang Xie Song Tang Xu Deng "
            "Han Feng Cao Peng Zeng Xiao Tian Dong Pan Yuan Cai Jiang Yu Du Ye Cheng Wei Su Lu Ding Ren Shen Yao Ouyang Sima "
            "Chan Wong Cheung Leung Lau Kwok Tsang Hsieh Tsai Hsu Chiang Ho Fung Chow Yeung"
        ),
    ),
    "japanese": (
        (
            *words(
                "Yuki Sakura Aiko Haruka Misaki Naoko Keiko Emi Ayumi Kaori Yoko Tomoko Rina Mei Akari Hinata Nanami Megumi Chiyo "
                "Asuka Mariko Sachiko Fumiko Reiko Yumiko Noriko Chihiro Mayumi Eriko Kazuko"
            ),
            *words(
                "Kyoko Michiko Setsuko Hiroko Junko Miyuki Satomi Manami Shiori Riko Yuna Kanon Honoka Mio Ayaka Hanako Harumi Izumi Kotone Rumi Sayuri Shizuka Takako Tamiko Ume Yoshiko Yuriko Chika Nozomi Ami Rie Mika Mana Kiyomi Natsuki Moe Airi Saki Kana Mayuko"
            ),
        ),
        (
            *words(
                "Hiroshi Takashi Kenji Haruto Daisuke Yuto Satoshi Kazuya Ryota Shinji Takumi Kenta Naoki Hideki Makoto Koji Masahiro "
                "Tetsuya Akira Shota Ren Sota Tsubasa Yusuke Ichiro Isamu Noboru Toshio Jiro Katsuo"
            ),
            *words(
                "Kazuo Hideo Shigeru Susumu Mamoru Minoru Tadashi Yoshio Masao Takeshi Ryo Riku Haruki Kaito Yamato Itsuki Hayato Ryusei Daiki Shun Kei Jun Eiji Goro Hajime Hiroki Junichi Kenichi Koichi Masato Nobuo Osamu Ryoichi Seiji Shuji Tatsuya Yasuo Yuji Keisuke Sosuke"
            ),
        ),
        words(
            "Sato Suzuki Takahashi Tanaka Watanabe Ito Yamamoto Nakamura Kobayashi Kato Yoshida Yamada Sasaki Yamaguchi Matsumoto "
            "Inoue Kimura Hayashi Shimizu Yamazaki Mori Abe Ikeda Hashimoto Ishikawa Ogawa Goto Okada Hasegawa Fujita Murakami "
            "Kondo Sakamoto Endo Aoki Nishimura Fukuda Ota Miura Fujiwara Matsuda Nakagawa Nakano Harada Ono Tamura Takeuchi "
            "Kaneko Wada Nakayama Ishida Ueda Morita Hara Shibata Sakai Kudo Yokoyama Miyazaki Miyamoto Uchida"
        ),
    ),
    "korean": (
        (
            *words(
                "Ji-woo Seo-yeon Min-seo Soo-jin Hye-jin Eun-ji Ji-hye Yoo-jin Mi-kyung Sun-hee Jihyun Soyeon Hyejin Minji Yuna "
                "Haeun Jiwon Chaewon Eunkyung Young-ja Bo-ram Seulgi Nayeon Dahyun Sujin Yeji Hana Areum Kyung-sook Jung-hwa"
            ),
            *_given(
                "Ji Seo Min Soo Hye Eun Yoo Mi Sun Ha Ye Na Su Da Bo",
                "yeon min jin hee young won ah eun ra kyung seo na rin bin sook",
            ),
        ),
        (
            *words(
                "Min-jun Seo-jun Ji-ho Hyun-woo Dong-hyun Sung-min Jae-hyun Young-ho Sang-hoon Joon-ho Kyung-soo Jinwoo Minho "
                "Seungho Taeyang Jaewon Sungjin Hyunsoo Woojin Donghae Chul-soo Tae-yong Ki-tae Byung-hun Kwang-soo Jong-il "
                "Sang-woo Hwan-hee Gun-woo Yong-jae"
            ),
            *_given(
                "Min Seo Ji Hyun Dong Sung Jae Young Sang Joon Kyung Jin Tae Woo Seung",
                "jun ho woo hyun min su hoon sik won gyu chul seok bin hwan il",
            ),
        ),
        words(
            "Kim Lee Park Choi Jung Kang Cho Yoon Jang Lim Han Oh Seo Shin Kwon Hwang Ahn Song Ryu Jeon Hong Ko Moon Yang Son "
            "Bae Baek Heo Nam Noh Ha Joo Woo Ji Chung Yoo"
        ),
    ),
    "vietnamese": (
        [
            *words(
                "Linh Huong Thao Trang Mai Lan Ngoc Phuong Hanh Thuy Quynh Nhung Yen Bich Hoa Dung Thu Nga Tuyet Diep"
            ),
            "Thi Lan",
            "Thi Mai",
            "Thu Ha",
            "Bao Tran",
            "Ngọc Ánh",
            "Kim Chi",
            "Thanh Hà",
        ],
        [
            *words(
                "Minh Hung Tuan Quang Duc Thanh Long Hieu Cuong Khoa Phuc Nam Dat Tien Vinh Hai Bao Huy Thang Trung Loc"
            ),
            "Van Minh",
            "Quoc Bao",
            "Duc Anh",
            "Văn Hùng",
            "Hoang Nam",
            "Xuan Truong",
        ],
        words(
            "Nguyen Tran Le Pham Hoang Huynh Phan Vu Vo Dang Bui Do Ngo Duong Ly Nguyễn Trần Phạm Trinh Dinh Dao Luong Mai Truong "
            "Lam Ta Chu Quach Vuong Thai"
        ),
    ),
    "thai": (
        words(
            "Somying Kanya Malee Ploy Siriporn Nattaya Suda Pimchanok Wanida Apinya Chanida Ratana Orawan Sunisa Duangjai Jintana "
            "Kamonwan Nanthida Supaporn Thida"
        ),
        words(
            "Somchai Anan Chatchai Prasert Nattapong Kittisak Wichai Thanakorn Surachai Arthit Prayut Sarawut Boonmee Narong "
            "Pakorn Teerapat Sombat Worawut Jirayu Apichart"
        ),
        words(
            "Saetang Srisai Wongsakul Chaiyasit Rattanakosin Boonsri Suwannarat Thongchai Kaewkamnerd Phromma Intarasuwan "
            "Sukhumvit Jaidee Charoensuk Srisuwan Chaowalit Prasertsuk Thammasat Wongwian Panyarachun Somboon Limsakul"
        ),
    ),
    "filipino": (
        words(
            "Maricel Rosario Imelda Lourdes Analyn Jocelyn Marites Cherry Divina Corazon Luzviminda Rowena Girlie Jasmin Liza "
            "Mayumi Tala Ligaya Dalisay Bituin"
        ),
        words(
            "Rodrigo Jejomar Reynaldo Danilo Rommel Jun Ferdinand Arnel Bongbong Efren Manny Dante Crisanto Datu Bayani Lakan "
            "Renato Virgilio Rolando Jericho"
        ),
        [
            *words(
                "Reyes Santos Bautista Ocampo Garcia Mendoza Villanueva Aquino Pangilinan Macaraeg Dimaculangan Magsaysay "
                "Manalo Batungbakal Panganiban Dumalagan Catacutan Salonga Lacson Tolentino Evangelista"
            ),
            "dela Cruz",
            "de Guzman",
            "del Rosario",
            "San Jose",
        ],
    ),
    "malay": (
        words(
            "Siti Nurul Aishah Norhayati Zaleha Farah Azlina Rohani Suraya Noraini Hafizah Wan Maizura Salmah Nadiah Zulaikha"
        ),
        words(
            "Azman Hafiz Faizal Razak Amirul Zulkifli Hakim Syafiq Khairul Shahrul Anwar Mahathir Najib Izzat Firdaus Roslan"
        ),
        words(
            "Abdullah Ismail Hashim Othman Mohamad Yusof Rahim Zakaria Kassim Ibrahim Jalil Bakar Daud Mokhtar Samad Tan Lim Ng "
            "Goh Teo Koh Chua Ong Yeo Sim"
        ),
    ),
    "ethiopian_somali": (
        words(
            "Selam Tigist Hiwot Bethlehem Meseret Almaz Genet Eden Hodan Ifrah Sagal Ayaan Deqa Mulu Rahel Makeda Saba Yordanos"
        ),
        words(
            "Abebe Tesfaye Haile Bekele Dawit Yonas Getachew Girma Abdi Warsame Liban Guled Mulugeta Kebede Tadesse Solomon Tewodros"
        ),
        words(
            "Tadesse Gebremariam Wolde Bekele Alemu Desta Mengistu Haile Farah Abdullahi Warsame Jama Mohamud Hersi Tesfaye "
            "Gebreselassie Kebede Assefa Teklu Worku"
        ),
    ),
    "southern_african": (
        words(
            "Thandiwe Nomvula Lerato Naledi Palesa Tendai Rudo Chipo Mpho Lindiwe Zanele Nokuthula Refilwe Kagiso Boitumelo Tsitsi"
        ),
        words(
            "Sipho Thabo Mandla Themba Tatenda Farai Tapiwa Sibusiso Kabelo Tshepo Lwazi Bongani Simba Tinashe Katlego Musa"
        ),
        words(
            "Dlamini Nkosi Ndlovu Khumalo Mokoena Moyo Sibanda Ncube Molefe Zulu Mthembu Mahlangu Chikwanda Mutasa Phiri Banda "
            "Mwale Tembo Radebe Botha"
        ),
    ),
    "west_african": (
        words(
            "Fatou Aminata Mariama Awa Adjoa Akosua Chiamaka Ngozi Adaeze Funmilayo Hadiza Binta Kadiatou Aissatou Oumou Khady Abena Efua"
        ),
        words(
            "Kwame Kofi Chinedu Emeka Obinna Babatunde Ousmane Mamadou Moussa Cheikh Ibrahima Sekou Kwabena Yaw Segun Uche Amadou Abdoulaye"
        ),
        words(
            "Diallo Traore Mensah Owusu Okafor Adeyemi Sow Ndiaye Diop Keita Coulibaly Okonkwo Boateng Asante Balogun Camara "
            "Toure Cisse Sarr Fofana Eze Nwosu Osei Appiah Ba"
        ),
    ),
    "pacific": (
        words(
            "Aroha Mere Hinemoa Ngaire Kiri Marama Anahera Tiare Moana Leilani Sina Lupe Mele Ana Losa Salote Vaea Teuila Lani "
            "Hine Ataahua Manaia Kaia Wikitoria Litia Adi Makerita Sefina Talia Kalesi"
        ),
        words(
            "Tane Wiremu Hemi Rangi Tama Nikau Kahu Matiu Hohepa Rawiri Sione Tevita Semisi Ioane Manu Tui Epeli Ratu Viliame Jone "
            "Keoni Kimo Afa Lani Malakai Filipo Taniela Apisai Mosese Isikeli"
        ),
        [
            *words(
                "Parata Ngata Tamihana Waititi Hohaia Rangihuna Te-Rangi Tuhoe Paewai Henare Takerei Tuilagi Leota Faumuina "
                "Taufa Fifita Vunipola Mafi Tupou Havili Waqa Ravouvou Tuivasa Seumanutafa Kealoha Kamaka Kahananui Naivalu "
                "Lealaiauloto Fonoti Tamou Ah-Kuoi Wineera Poutama Rakete Tipene"
            ),
            "Te Kanawa",
            "Te Heuheu",
            "Te Ao",
        ],
    ),
}
