"""Names that tools/build_names.py adds by hand: given names and surnames of the world that its sources lack. No list was copied."""

# ruff: noqa: SIM905 - a list of words is read as words

GIVEN_TOO = """
    Aarav Abbas Abdelkader Abdelkarim Abdellah Abderrahmane Abdulaziz Abdullah Abebe Abena Abhishek Achieng Achille Achim Adaeze
    Adebayo Adelheid Adeola Adewale Aditi Aditya Adrian Adwoa Aengus Afolabi Afsaneh Afua Agnieszka Aharon Ahlam Ahmet Aicha Aiden
    Aigars Ailbhe Ailsa Aina Ainara Aine Ainhoa Aino Aisling Aissatou Aistė Aitor Aivar Ajay Akash Akemi Akihiko Akinwale Akinyi Akira
    Akosua Akshay Akua Alaitz Alasdair Aleksandar Aleksandra Alemayehu Algirdas Ali Alioune Aliénor Almaz Alvise Alwine Ama Amadou
    Amaia Amaka Amal Amara Amerigo Aminata Amir Amira Amit Amitabh Amos Anahit Ananya Anastasia Anastasios Anat Anatoly Anca Ander
    Andrei Andrzej Ane Aner Anestis Aneurin Angharad Anh Ani Anil Anita Anjali Ankit Ankita Anneliese Annunziata Ansgar Antía Anushka
    Anwar Aoife Aonghas Aparna Apolline Apostolos Arabella Aram Arash Aratz Arezoo Ariel Aristeidis Arjun Arkady Arnau Arnfried Aroha
    Arpi Arun Aruna Arvind Arvydas Asaf Asha Ashkan Ashok Ashot Ashwin Asier Asif Athanasios Atieno Attila Aurélien Avi Avigail
    Avraham Ayaka Ayelet Ayhan Ayla Aymen Ayodele Aysel Ayten Ayumi Azadeh Babak Babatunde Badr Bahar Bahram Balthasar Balázs Banu
    Baozhu Barnaby Bartholomew Bartosz Baruch Barış Beata Beatrix Begoña Behnaz Behrouz Bekele Bence Berhane Berk Berkay Bernat Berta
    Bertille Beñat Bharat Bhavna Bich Biel Bijan Bilal Biljana Binta Birgir Birutė Björk Bláthnaid Boaz Bogdan Bogusław Bohumil Bojan
    Bongani Boris Bożena Božena Brahim Brais Branimir Branislav Branko Braxton Brayden Breixo Bronagh Bronwen Brunilde Brynlee Buhle
    Bukola Burak Burcu Burkhard Bärbel Béla Bérengère Bülent Calogero Calum Can Canan Caoimhe Capucine Carles Carmelo Carys Cathal
    Catrin Catriona Cem Cengiz Ceren Ceri Cerys Chaim Chaima Chana Chandra Changming Charalampos Chau Cheikh Chiamaka Chibuzo Chidi
    Chika Chimamanda Chinedu Chinonso Chioma Chiyo Chrysoula Chukwudi Chunhua Ciara Ciarán Cillian Ciprian Clementine Clodagh Clotilde
    Codruța Colm Conall Conor Corina Cormac Cornelius Cosima Cosimo Costin Cressida Crispin Cristina Csaba Csilla Cyprien Czesław Cáit
    Cäcilie Călin Dace Dafydd Dagmar Dainius Daisuke Dalia Damilola Danuta Daragh Daria Dariush Dariusz Darko Darnell Darragh Davor
    Dawei Dawit Deepa Deepak Deepika Defne Deirdre Dejan Delyth Demba Deniz Dervla Derya Deshawn Despina Detlef Devika Dezső Dhruv
    Diarmuid Diarra Dietlinde Dilwyn Dimitra Dimitrios Dinesh Divya Djibril Dmitri Dmitry Domitilla Dorel Dorottya Dov Dragan Dragana
    Dragoș Driss Dubravka Dung Dušan Dvora Dwayne Dylan Dáithí Dídac Eamon Ebele Eberhard Ebrima Ebru Ece Edeltraud Edmée Eero Eeva
    Efa Efosa Efrat Efstathios Efua Egill Eglė Egon Eha Eibhlín Eider Eilidh Eimear Einar Eirini Eitan Ejiofor Ekaterina Ekkehard Elad
    Eleftheria Eleni Elettra Elfriede Elham Eliezer Elif Elin Eliška Elke Elnaz Eluned Elżbieta Emeka Emiko Emine Emre Emrys Endre
    Eneko Eneritz Enikő Enno Eoghan Eoin Ercan Erdem Erkan Erla Ermenegildo Ermes Erzsébet Esfandiar Esi Eskinder Esra Ettore Eudes
    Eulàlia Eunji Evangelia Evangelos Evgenia Evgeny Ewan Ewelina Eygló Fadi Fahad Faisal Fang Fanta Farhad Fariba Farid Farida Farooq
    Farzad Farzaneh Fatiha Fatma Fatou Fatoumata Faustine Femi Fenella Ferenc Fereshteh Fergal Fergus Ferhat Ferran Feven Ffion
    Fiachra Fiammetta Fiete Figen Filiz Finlay Fiona Fionn Fionnuala Flavien Florin Folake Forough Fosco Fotini Fouad Franciszek
    Frauke Frieda Friedemann Friedhelm Fumiko Funmilayo Fyodor Gaizka Galina Galit Garazi Gatis Gaurav Gauri Gauthier Gavino Gayane
    Gaëlle Gaëtan Gearóid Gediminas Geeta Gemma Gennady Georgios Geraint Gerard Gergő Gerlinde Gerold Getachew Gethin Ghassan Gheorghe
    Ghislain Ghislaine Giacinto Giandomenico Giang Gianluca Gianmarco Gideon Ginevra Giorgi Giosuè Girish Girma Gisbert Giuditta Gizem
    Glyn Goffredo Golnaz Gopal Goran Gordana Gorka Gotthard Govind Grażyna Grigorios Grigory Grzegorz Gráinne Guangming Gudrun Guillem
    Gundula Gunnar Guntis Guoqiang Guðmundur Guðrún Gwenaël Gwenllian Gwilym Gwyneth Gyula Gyöngyi György Gábor Gökhan Götz Gül Gülay
    Gülşen Habib Hadas Haiyan Haizea Hakan Hakim Halil Halima Halina Halldór Hamid Hamish Hamza Hanako Hanan Hande Haneul Hanh
    Hannelore Hannu Harald Harish Haroun Harsha Hartmut Haruka Haruki Haruto Hassan Hatice Heidrun Heike Heiki Heinz Heledd Helmi
    Helmtrud Hemant Hemi Henning Henryk Hermine Hicham Hideki Hideo Hieu Hiltrud Hind Hine Hinrich Hiroko Hiromi Hiroshi Hiwot Hoang
    Hongmei Horia Horst Hortense Hossein Houda Houshang Hovhannes Hrafn Hrvoje Hubert Huifang Hung Huong Hussein Huw Huyen Hyejin
    Hynek Hyunwoo Hülya Hüseyin Iago Iain Iarla Ibrahima Ibtissam Icía Idan Idris Iestyn Ieuan Ieva Ifan Ifeanyi Ifeoma Ignatius Igor
    Ikenna Iker Ikram Ilan Ildikó Ileana Ilkka Ilse Ilze Iman Imke Imogen Imran Imre Inbal Indira Indrek Inese Ingeborg Ingibjörg
    Ioana Ioannis Iolo Iona Ionel Ionuț Ippolita Iraj Irakli Irati Ireneusz Irfan Irina Irmgard Irmtraud Isamu Ishaan Isla István Itai
    Itamar Itxaso Itziar Iulia Ivana Ivica Ivon Iyabo Izabela Izaro Iñaki Jacek Jadranka Jadwiga Jalal Jamal Jamila Janusz Jari
    Jaroslav Jarosław Jaume Javad Jaya Jayanti Jayden Jelena Jemima Jermaine Jerzy Jianguo Jianhua Jiaqi Jihoon Jimin Jindřich
    Jingjing Jinsoo Jisoo Jiwoo Jiyoung Jiřina Joanna Joaquim Jocasta Jochen Jokin Jolán Jon Jone Jordi Joseba Josep Josselin Josu
    Jovana Juhani Jukka Julen Junaid Junho Junjie Junko Jurgita Jyoti Jóhanna József Jörn Jānis Kaan Kaarel Kacper Kadiatou Kadir
    Kadri Kahurangi Kaisa Kaitlyn Kalevi Kalliopi Kalpana Kamala Kamau Kamlesh Kamran Kaori Karen Karim Karlheinz Karthik Kashif
    Kaspars Katalin Katarzyna Katerina Kateřina Katsuo Kaveh Kavita Kayden Kazimierz Kazuko Kazuo Kebede Kehinde Keiko Keisha Kelechi
    Kemal Kenichi Kenji Kenta Kepa Kerem Keren Kersti Kerstin Ketevan Keyvan Khadija Khady Khaled Khalid Khanh Khosrow Kimmo Kipchoge
    Kiran Kirill Kirsi Kirsteen Kishore Kiyoshi Klaas Klára Kofi Kojo Koldo Konstantin Konstantina Koray Korbinian Kostas Krešimir
    Krishna Kristjan Kristín Krystyna Krzysztof Kumar Kumiko Kunigunde Kunle Květa Kwabena Kwadwo Kwaku Kwame Kwasi Kwesi Kyriaki
    Kyriakos Kálmán Kęstutis LaToya Lachlan Ladislav Laia Laila Laima Lajos Lakisha Lakshmi Laleh Lali Lamar Lamia Lamine Lan Lapo
    Larisa Lata Latifa Latisha Lauri Lavinia Layla Leena Lefteris Leila Leire Lemlem Lenka Leonid Leonie Lerato Leszek Levan Levent
    Levente Liat Libuše Lide Lieselotte Lihua Liis Liling Lindiwe Linh Lior Liviu Ljiljana Ljubica Llinos Llorenç Lluc Lluís Llywelyn
    Loan Lorcan Lowri Loïc Lubna Lucian Lucrezia Ludger Ludmila Ludovica Luitpold Lusine Lwazi Lysander Lyudmila László Līga Maarja
    Maayan Maciej Madhav Madhuri Maeve Magdalena Magnús Maha Mahesh Mahnaz Mahsa Mai Maialen Mairead Mairi Maite Majed Majid Maka
    Maksim Malachy Malak Mamadou Mamuka Manaia Mandla Manfred Manish Manisha Manlio Manoj Mansour Marcin Mared Marek Margaux Maria
    Mariama Mariangela Marija Mariko Marius Mariusz Marjatta Marju Markel Marquise Maryam Marçal Masako Masaru Masoud Mateusz Matti
    Maxence Maëlle Maëlys Maïwenn Małgorzata Mckenzie Mechthild Meena Meera Mehdi Mehmet Mehran Meiling Meinhard Meinir Meir Meirion
    Mekdes Melek Meltem Menachem Menna Meral Meritxell Merve Meseret Mesut Metin Mhairi Michal Michiko Midori Mihai Mihály Mikel
    Mikhail Mikko Miklós Milan Milena Milica Miloslav Miloš Mina Mindaugas Mingming Minh Minho Minji Minjun Minna Minoru Minseo
    Miodrag Miquel Mircea Mirela Miren Mirjana Miroslav Miroslava Mirosław Misaki Mitra Mladen Modou Mohamed Mohammed Mohan Mohit
    Mohsen Mojtaba Mona Monique Montserrat Morag Mordechai Morgane Morteza Morven Moshe Mounir Mourad Moussa Mpho Muireann Mukesh
    Muntsa Murat Murdo Mustafa Muthoni Mwangi Myfanwy Márton Mélusine Māris Naama Nabil Nadav Nadezhda Nadia Nadir Nahid Naiara Naima
    Najat Nana Nandini Naoki Naoko Narcís Naresh Nasreen Nasrin Nasser Natalia Naveed Naveen Nawal Nazanin Nazlı Ndeye Nebojša Necati
    Neelam Neele Negar Neha Nekane Nenad Nerea Nermin Nerys Neslihan Neus Nevena Nga Ngaire Ngoc Ngozi Nguyet Nhung Nia Niamh Nicoleta
    Nikhil Nikita Nikola Nikolai Nikolaos Nilgün Niloufar Nino Nisha Nitin Nizar Njeri Njoroge Nkechi Nnamdi Nneka Noam Noboru Noga
    Nolwenn Nomsa Nomvula Noriko Nosipho Notker Noura Nuala Nune Nunzia Nuray Nurcan Nyambura Nándor Núria Obinna Ochieng Octavia
    Octavian Océane Odhiambo Ofer Ofra Ognjen Oier Oihane Oisín Okan Oksana Olabisi Olaf Olaia Olamide Oldřich Oleg Oleksandr Olena
    Olga Olumide Oluwaseun Oluwatobi Olympia Omar Ombeline Omri Onur Onyeka Oonagh Orhan Oriol Orit Orla Ornella Osagie Osama Osamu
    Osman Osnat Othman Otieno Ottavio Ottilie Ottoline Ousmane Ovidiu Owain Oya Paavo Padma Padraig Paisley Panagiota Panagiotis
    Pankaj Paraskevi Parisa Parvati Parvin Pasqualina Patxi Pau Pavel Paweł Payam Peio Pekka Perdita Pere Peregrine Perrine Petros
    Peyman Philippa Phuong Pierluigi Pietro Piotr Pirjo Piroska Pol Pooja Pouya Prabhu Pradeep Prakash Pranav Prasad Pratibha Predrag
    Preeti Priit Priya Priyanka Proinsias Przemysław Pádraig Páll Päivi Pınar Qiang Quang Quim Quirin Quitterie Quoc Quyen Quynh
    Rachid Radha Radka Radmila Radosław Rafał Ragnheiður Rahul Raimonds Raj Rajan Rajendra Rajesh Rajiv Rakesh Raman Ramazan Ramesh
    Ramin Ran Rangi Rania Ranjit Rasa Rashid Rashida Rashmi Ravi Recep Reda Reijo Reiko Rein Reinhild Reinhold Rekha Reza Rhian
    Rhiannon Rhodri Rhys Riad Ricard Rieko Riitta Rim Rimantas Rina Ritu Rivka Rizwan Roger Rohan Rohini Rohit Roi Rokhaya Roman Ronan
    Roni Ronit Rory Rosalia Roswitha Roxana Roya Rozenn Ruairi Ruaridh Ruggero Rukhsana Ruolan Rupert Ruslan Ruxandra Ruzan Ryota
    Ryszard Réka Ríona Róisín Rüdiger Răzvan Rıza Rūta Růžena Saad Sabela Sabino Sachiko Sachin Sade Saeed Saffron Safia Sagi Said
    Saima Sajid Sakura Salah Saliou Salma Salvador Samaneh Sami Samir Samira Sana Sandeep Sangeeta Sanja Sanjana Sanjay Santosh
    Saoirse Sari Sarita Satish Satoshi Saulius Saverio Savita Sayuri Saša Seema Segun Selam Selin Selçuk Semra Senad Seojun Seonaid
    Seoyeon Sepideh Seppo Serap Serdar Seren Sergei Sergi Serkan Setsuko Sevgi Sevim Seydou Seán Shabana Shabnam Shahin Shahla Shahram
    Shai Shalini Shanice Shaniqua Shankar Sharmila Shashi Shay Shazia Shigeru Shilpa Shimon Shinji Shira Shirin Shiro Shivani Shizuka
    Shlomit Shlomo Shmuel Shobha Shona Shruti Shufen Shweta Siamak Sibel Siddharth Sidonie Siegfried Sieglinde Sigríður Sigurður Silke
    Silviu Simin Sina Sinem Sinéad Siobhán Sioned Siphiwe Sipho Sirpa Sita Sizwe Siân Slavica Slobodan Smita Sneha Snežana Snorri
    Sofia Soheila Sohrab Soizic Solène Sonali Soojin Soraya Sorcha Sorin Souad Souleymane Spyridon Srinivas Srđan Stanislav Stanisława
    Stavros Stavroula Steinunn Stelios Stjepan Sudha Sudhir Suman Sumit Sungmin Sunil Sunita Suresh Sushma Susumu Sven Svetlana
    Swantje Swati Szabolcs Szilvia Szymon Sándor Séamus Sílvia Sólveig Sönke Süleyman Sławomir Tabitha Tadesse Tadeusz Tadhg Taeyang
    Tahar Tahereh Tahir Taiwo Takahiro Takashi Takeshi Takumi Tal Tam Tamar Tamara Tamaz Tamika Tancredi Tane Tanel Taner Tanguy
    Tanisha Tankred Tanvi Tapio Taras Tarek Tariq Tarja Tarquin Tarun Tatiana Tatsuya Tecla Tegwen Temitope Teodolinda Teresa Tereza
    Terrell Tesfaye Thabo Thaddeus Thanasis Thandeka Thandiwe Thanh Thao Thees Themba Theodora Thi Thibault Thibaut Thu Thulani Thuy
    Tibor Tien Tigist Tigran Tihomir Tiiu Timur Tinatin Tiphaine Tjark Tobenna Tolga Tolulope Tomasz Tomer Tomislav Tomoko Tomos
    Toomas Torben Torquil Torsten Toshio Traian Trang Traudl Treyvon Trinh Tristan Trung Tsegaye Tshepo Tsuyoshi Tuan Tugdual Tui
    Tunde Tuomas Tuula Tuyet Tuğba Tyrone Tzipora Tzvi Tülay Tünde Uche Uchenna Uldis Ulf Ulrike Uma Umut Unai Unnur Uri Urmas Urs
    Ursel Urszula Urve Usha Usman Uwe Uxue Uxía Uyen Vadim Vahan Vahid Vakhtang Valentina Valeriu Valery Vandana Vanni Varduhi Varun
    Vasiliki Vasilios Vasily Vedran Veikko Veit Venkat Venkatesh Vesna Vidya Vijay Vikas Vikram Viktor Ville Vinay Vineet Vinh Vinod
    Vinzenz Viorel Vishal Vitaly Vivek Vladan Vladimir Vlasta Vlatka Vojislav Vojtěch Volker Volodymyr Vsevolod Vusi Vyacheslav
    Vytautas Wairimu Walburga Waldemar Walid Waltraud Wambui Wanjiku Waqar Wassim Weidong Wendelin Wenjing Wiebke Wieland Wiesław
    Wilfried Winfried Wiremu Witold Wojciech Wolfram Woojin Xabier Xaver Xavi Xiaodong Xiaohong Xiaoling Xiaomei Xiaoming Ximena Xinyi
    Xiuying Xosé Xoán Xuan Xènia Yaa Yaakov Yael Yair Yanfei Yann Yannick Yaroslav Yasaman Yash Yasin Yasmine Yassine Yasuko Yavuz Yaw
    Yazid Yehuda Yejin Yemi Yen Yetunde Yevgeny Yiannis Yigal Yingying Yitzhak Yoav Yogesh Yohannes Yoko Yolaine Yonatan Yongjun
    Yoshiko Yossi Younes Youngho Youssef Yukiko Yulan Yulia Yumiko Yuri Yusuf Yutaka Yuval Yuxuan Yves Yıldız Zacharias Zahra Zainab
    Zaira Zakaria Zamfira Zane Zanele Zaza Zbigniew Zdeněk Zdeňka Zdravko Zdzisław Zeev Zehra Zeleke Zewditu Zeynep Zhihao Zhiming
    Ziad Zigor Zihan Zinaida Zineb Ziva Zlatko Zodwa Zofia Zohra Zohreh Zoleka Zoltán Zoran Zorica Zsolt Zsuzsanna Zsófia Zubair Zurab
    Zuriñe Ásgeir Ásta Çağla Églantine Íñigo Ólafur Órla Ömer Özge Özgür Özlem Úna Þorsteinn Þórdís Čestmír İbrahim İlker İrem Łukasz
    Řehoř Şahin Şebnem Şükran Šárka Željko Žydrūnas Ștefan
""".split()
"""Given names."""

SURNAMES_TOO = """
    Abate Abbasi Abdallah Abdulrahman Abe Abernathy Abiodun Aboud Abruzzese Abubakar Acar Accardo Acharya Acheampong Achternbusch
    Adachi Adebayo Adeleke Adeyemi Adjei Aeschbacher Afolayan Agarwal Agbaje Aggarwal Agnelli Aguirrebengoa Agyeman Ahmadi Ahmed Ahn
    Ahuja Ainsworth Aizpurua Akande Akbari Akgül Akhtar Akpan Aksoy Aktaş Alaoui Albertini Alcázar Alighieri Allgaier Altamirano
    Altıntaş Amini Ammann Ammannati Amoah Ampofo Amrani Ankrah Anozie Ansah Ansari Antonelli Antwi Aoki Appiah Applegarth Aquino Arai
    Aramburu Aranburu Arbuthnot Arcimboldo Arizmendi Arriaga Arrizabalaga Arslan Asante Asare Aschenbrenner Asfaw Ashworth Aslan
    Aubertin Auchincloss Aumont Avcı Awolowo Aydoğan Aydın Ayele Ayodele Ayoub Azikiwe Aziz Azizi Azkuna Azpilicueta Ba Babangida
    Babington Bachelard Badawi Baek Bah Bahrami Bajaj Bakr Balakrishnan Balasubramanian Balestrieri Ballancourt Ballesteros Balogun
    Bandaranaike Banerjee Bangoura Bansal Barandiaran Bassani Basu Battistini Baudelaire Baumgärtner Bautista Bayraktar Beauchamp
    Beaumarchais Beauregard Bekele Belaunzarán Bellanger Bellomo Belmonte Benali Benavides Benchekroun Bengoetxea Benjelloun Bennani
    Bensoussan Bentivoglio Benyahia Berchtold Berenguer Berthelot Bevilacqua Bhat Bhatia Bhattacharjee Bhattacharya Bhutto Bianchini
    Biedermann Birnbaum Biswas Blanchard Blaschke Bleibtreu Blenkinsop Boakye Boateng Boccaccio Boisselier Bonaccorsi Bonnefoy Bonsu
    Borromeo Bose Bouazizi Bouchardeau Bouchareb Boudiaf Bouillon Boumediene Bourdieu Bouzid Bozkurt Bracegirdle Braithwaite
    Brancaleone Brandstetter Brandstätter Brassard Breitenbach Brinkmann Brocklebank Brodbeck Bui Bulut Buonarroti Bustamante
    Butenschön Buthelezi Böckmann Bürgi Bürkle Cabezón Cacciapuoti Calabrese Calvino Camara Can Cao Caracciolo Cardinale Carducci
    Carrasquilla Carruthers Casadevall Casals Casaseca Castagnoli Castaing Castellano Cavalcanti Cavallotti Cavendish Cele Chabrol
    Chaiyasit Chakrabarti Chakraborty Chamberlayne Chambord Champollion Chandrasekhar Chang Chaoui Charbonneau Chatterjee Chaturvedi
    Chaudhry Chauhan Chaumont Chen Cheng Cheung Chevrolet Chevènement Chiang Choi Cholmondeley Chopra Choudhury Chow Chowdhury Chu
    Chukwu Chukwuemeka Chung Cifuentes Cimarosa Cissé Clasen Cockburn Colomer Conté Cordier Coulibaly Courtemanche Cuccurullo
    D'Alessandro D'Amico D'Annunzio D'Onofrio Daladier Dallmayr Dang Danjuma Danquah Darko Darwish Das Dasgupta Datta De-Gasperi
    Debussy Dela Delacourt Delacroix Dell'Aquila Della-Valle Delorme Dembélé Demir Demirel Demirtaş Deng Desai Deschamps Deshmukh
    Deshpande Desjardins Desmarais Desplechin Desrosiers Desta Dhawan Di-Maio Diakité Diallo Diarra Ding Dinh Diop Diouf Dissanayake
    Dixit Djebbar Dlamini Doan Dombrowski Domènech Dong Donkor Doğan Draghi Drechsler Duan Dubey Duchesne Duman Dumoulin Duong
    Duplessis Durkheim Dutta Dürrenmatt Ebadi Ebersbach Ebersohn Ebrahimi Echevarría Echeverría Egwu Eichhorn Eichinger Eigenbrodt
    Eisenhauer Ekinci Ekwueme El-Amin El-Masri El-Sayed Elizondo Endo Entwistle Enzensberger Erdoğan Eren Ergin Eroğlu Errejón Ertürk
    Esfahani Esposito Etxebarria Etxeberria Eze Fabbriconi Fabron Fakhoury Falcón Fall Fang Farahani Farouk Fashola Faucher Faulhaber
    Faye Featherstone Featherstonehaugh Feng Fernando Ferragamo Ferreiro Ferrigno Feuerbach Finkbeiner Fiorentino Fitzgerald
    Fitzpatrick Fitzwilliam Fleischhauer Fong Fontanel Fontcuberta Fotheringham Fourcade Freudenberger Freudenthal Frischmuth Fujii
    Fujimoto Fujita Fujiwara Fukuda Fumagalli Gabbana Gagneux Galbraith Galdós Gallagher Gandhi Ganguly Gao Garaikoetxea Garibaldi
    Gastineau Gaugler Gaztañaga Gebremariam Gebreselassie Gerstenmaier Ghannouchi Ghasemi Ghirlandaio Ghorbani Ghosh Giacometti
    Gilchrist Gilhooly Giordano Giraudoux Glendinning Glöckner Goikoetxea Gong Gorostiaga Goswami Goto Goyal Goñi Grabowski Gramsci
    Grandjean Gravelaine Grosvenor Grünewald Gschwendtner Guadagno Gueye Guillebaud Gumede Gunawardena Guo Gupta Gutknecht Guéguen
    Guérin Gyasi Gök Gül Güler Gündoğdu Güneş Güven Haberkorn Habibi Haddad Hadebe Hagedorn Haile Hakimi Hamada Hamdan Hamidi Hammoud
    Han Hao Haouari Hara Harada Hariri Harnoncourt Hartenstein Hartono Hasegawa Hasenclever Hashemi Hashimi Hashimoto Hashmi
    Haverstock Hayashi Heathcote Heatherington Hegde Heidegger Higginbotham Hijazi Hinterseer Hirano Hirata Hirschfeld Hlongwane Hoang
    Hofstetter Hohlbein Hollingsworth Holtkamp Holzapfel Honda Hosseini Hou Hsieh Hsu Huang Huddleston Hussain Husseini Huynh Hwang
    Hédiard Hérault Hürlimann Iannuzzi Ibarretxe Ibrahim Idrissi Igwe Iida Ikeda Ikpeazu Imai Impastato Inoue Iqbal Ishida Ishii
    Ishikawa Ito Iturbe Iturralde Iversen Iwasaki Iwu Iyengar Iyer Işık Jabbar Jaber Jadhav Jafari Jain Jang Jankowski Javed
    Jayasuriya Jayawardene Jeon Jeong Jha Jiang Jin Joshi Jospin Jovellanos Jung Jungblut Kabbani Kaczmarek Kadam Kaddouri Kahraman
    Kaltenbrunner Kamau Kanaan Kane Kaneko Kang Kaplan Kapoor Kapur Kara Karaca Karadağ Karadeniz Karam Karaman Karimi Kariuki Kato
    Kaur Kawamura Kawasaki Kaya Kazemi Keita Kenyatta Kerguelen Keskin Kesselring Khalil Khamenei Khan Khanna Khatib Khoury Khoza
    Khumalo Khurana Kibet Kidane Kikuchi Kilpatrick Kimura Kinoshita Kiprotich Kirchhoff Kirkpatrick Kishi Klinsmann Kloppenburg
    Kniephausen Knobloch Kobayashi Kojima Konaté Kondo Kong Koné Korkmaz Kortner Kowalewski Koç Koçak Krautwurst Kretschmann
    Krishnamurthy Krishnan Kronenberg Kubo Kuckuck Kudo Kuffour Kulkarni Kumar Kumaratunga Kurt Kurtuluş Kwon Köhnlein Köse
    Küchenmeister Kümmerle Kılıç Lachaise Lachenmann Lafontaine Lagarrigue Lahlou Lai Lam Lamborghini Lamoureux Lancaster
    Langenscheidt Langlois Laplace Larrañaga Lasarte Lau Lauterbach Lavoisier Lebreton Lecuyer Lefebvre Lemaître Lenormand Leopardi
    Leung Leutheusser Lhermitte Liang Liao Lichtenberg Lim Lin Lindenthal Ling Liu Lizarraga Llewellyn Llorente Locatelli Lombroso Luo
    Luong Lustenberger Lévesque Löwenstein Mabaso Mabuza MacAulay MacDiarmid MacGillivray Macallister Macaraeg Mackintosh Madonsela
    Madubuike Maeda Magsaysay Mahajan Mahfouz Mahlangu Mahmoudi Maillard Maitland Majola Makhanya Makhlouf Malatesta Malhotra Malik
    Malraux Manalo Mandela Mansouri Mao Marchandeau Marcos Marquardt Maruyama Maseko Masri Mastrangelo Mastroianni Mathur Matsuda
    Matsui Matsumoto Matsumura Matsuo Mattarella Maupassant Maurouard Mayrhofer Mazarin Mbanefo Mbaye Mbeki Mbow McAllister McClintock
    McCormack McCreadie McElroy McGillicuddy McIlroy McTavish Mdluli Mehra Mehta Meillassoux Mendis Mendizábal Meng Mengistu Menon
    Mensah Mercadal Messerschmidt Meziane Micklethwait Mirza Mirzaei Mishra Misra Mittal Mittermaier Mitterrand Miura Miyamoto
    Miyazaki Mizuno Mkhize Mohammadi Mokhtari Mokoena Molefe Moloi Molyneux Montague Montaigne Montecchi Montenegro Montessori
    Montgolfier Moon Moosbrugger Moradi Mori Morita Morvan Motaung Moulin Mountbatten Mousavi Moussaoui Mthembu Mthethwa Mubarak
    Mujica Mukherjee Murakami Murata Murthy Mutua Mwangi Mühlhäuser Müllenhoff Nadar Nagai Naidoo Naidu Nair Nakagawa Nakajima
    Nakamoto Nakamura Nakano Nakata Nakayama Nambiar Napolitano Narayanan Nasrallah Nassar Nayar Nazari Ndegwa Ndiaye Ndlovu Negash
    Ngcobo Ngubane Nguyen Niang Niederberger Nishida Nishimura Njoroge Nkansah Nkosi Nkrumah Nnadi Noda Noguchi Noh Nomura Nouri Ntuli
    Nwachukwu Nwosu Nxumalo Nyong'o Nüßlein O'Callaghan O'Connell O'Donoghue O'Flaherty O'Gorman O'Hanlon O'Mahony O'Rourke
    O'Shaughnessy O'Sullivan Obasanjo Oberhuber Obermeier Oberoi Obi Ochieng Odermatt Odinga Odukoya Oduya Oelschläger Ofori Ogawa
    Ogunbanjo Ogunleye Ogura Oh Ojukwu Okada Okafor Okamoto Okeke Okonjo Okonkwo Okoro Okoye Okubo Olawale Olusegun Omari Omondi Ono
    Onyango Onyekachi Opoku Oppermann Oppong Osbaldeston Osei Osterwalder Ota Othmani Otieno Otsuka Ottaviani Ouyang Owusu Oyarzábal
    Oyelaran Pahlavi Palladino Palomeque Pan Pandey Pandit Pangilinan Parekh Parikh Park Paschke Pasquier Passalacqua Patel Pathak
    Patil Pellegrini Pelletier Pemberton Peng Penhaligon Perera Pettigrew Peyrefitte Peñalver Pfannenstiel Pfefferkorn Pham Phan
    Piccolomini Pillai Pillay Piontek Pirandello Pirchner Poincaré Polat Pompidou Ponsonby Postlethwaite Prabhakar Prasad Prendergast
    Puigdemont Puri Qasim Qian Qiao Qin Quadflieg Quasimodo Quattrocchi Quaye Quiambao Quintanilla Quiñones Qureshi Quéméneur Rabelais
    Radebe Rademacher Raghavan Rahimi Rahman Rahmani Rajagopalan Rajan Rajapaksa Rajoy Ramachandran Ramakrishnan Raman Ramanathan
    Ramaphosa Ramsbottom Ranatunga Rangarajan Rao Rastogi Rathore Ravaisson Reddy Rehman Reichenbach Reinhardt Ren Rezaei Ricciardi
    Ringelnatz Rocafort Rochefort Rosenkranz Rosenthal Rosenzweig Rostami Rothschild Rousselet Roychowdhury Rubalcaba Rumpelmayer
    Ruprecht Ruto Ryu Rübsamen Rüegg Saadi Saavedra Sabbagh Sablon Sadeghi Sagardoy Saidi Saint-Exupéry Saito Sakai Sakamoto Sakurai
    Saleh Salehi Salem Salhi Sall Salonga Samaké Sangiovanni Sano Sanogo Sanseverino Santamaría Santoso Sané Sarasola Sarkozy Sarpong
    Sarr Sarı Sasaki Sato Satterthwaite Sauerbruch Saxena Schachtschneider Schlüter Schmidbauer Schnabel Schnarrenberger Schwarzenbach
    Schäuble Schönfelder Sciascia Scognamiglio Seck Seehofer Seguin Senanayake Sengupta Seo Seshadri Sethi Setiawan Sezer Shabalala
    Shackleton Shah Shahbazi Shahin Shammas Shao Sharif Sharma Shen Shenoy Shetty Shi Shibata Shimada Shimizu Shin Shukla Sibiya
    Siddiqui Siebenhaar Singh Sinha Sissoko Sithole Slimani Soltani Somerville Song Sonnenschein Sotheby Sow Soyinka Spadaro
    Spreckelsen Squarcialupi Srinivasan Srisai Srivastava Steinbrück Steinmeier Stoltenberg Strickland Strohmeyer Subramaniam
    Subramanian Sugimoto Sugiyama Suharto Sukarno Sun Sundaram Susanto Suzuki Swaminathan Sy Süßmuth Tabrizi Tagliaferri Tagore Taheri
    Takagi Takahashi Takeda Takeuchi Tamura Tanaka Tandon Tang Taniguchi Tao Tarantino Tardieu Tarradellas Tattersall Tazi Taş Tehrani
    Tekin Tekle Tendulkar Tesfaye Teufel Thakur Thiam Thiessen Thistlethwaite Thistlewood Thongchai Thévenin Thévenoux Tian
    Timoschenko Tiwari Tocqueville Tommaseo Toprak Torrecilla Torrente Tounsi Tournier Touré Tran Traoré Trautmann Trelawney Trevelyan
    Trevithick Trinh Tripathi Trivedi Truong Tsai Tsang Tshabalala Tunç Turan Twistleton Uchida Udo Ueda Ueno Uhlenbrock Unamuno
    Unterberger Upadhyay Urdangarin Uribe Urquijo Uysal Uzoma Uzun Uçar Vaidya Vaillancourt Valdivieso Vallejo Vandermeer Varma
    Vasseur Vendramin Venkataraman Vercors Verma Vigneron Villalobos Villanueva Villeneuve Vogelsang Vuong Vyas Wackernagel Wada Wade
    Wadhwa Wagenknecht Wainwright Waldegrave Waldschmidt Wang Wanjala Warburton Watanabe Wedgwood Wei Weng Whitcombe Wickramasinghe
    Widodo Wiedenmann Wiesenthal Wigglesworth Wijaya Wijesinghe Willoughby Winterbottom Wischnewski Woldemariam Wolkenstein
    Wolstenholme Wong Woolstonecraft Wriothesley Wu Wölfl Xaba Xia Xiao Xie Xiong Xu Xue Yadav Yalçın Yamada Yamaguchi Yamamoto
    Yamamura Yamanaka Yamashita Yamazaki Yan Yang Yao Yarborough Yavuz Yazdani Yeboah Yeung Yin Yokoyama Yoon Yoshida Yoshimura Yuan
    Yüksel Yıldırım Yıldız Yılmaz Zaidi Zand Zanetti Zanfardino Zangerl Zapatero Zardari Zeng Zhang Zhao Zheng Zhong Zhou Zhu Zhuang
    Ziani Zidane Ziegelmeier Zikalala Zimmerli Zingaretti Zollinger Zondi Zou Zouari Zubizarreta Zuccarello Zuckmayer Zuloaga Zulu
    Zumalacárregui Zumsteg Zurbriggen Zwingli Çakır Çelik Çetin Çoban Özcan Özdemir Özgür Özkan Öztürk Ünal Şahin Şen Şimşek
""".split()
"""Surnames."""
