"""Phrases a traveller says whole, with nothing to fill in: English | French | Spanish | Arabic."""
# A row of a table stays on one line, however long.
# ruff: noqa: E501

SAYINGS = """
Hello. | Bonjour. | Hola. | مرحباً.
Hi. | Salut. | Hola. | مرحباً.
Good morning. | Bonjour. | Buenos días. | صباح الخير.
Good afternoon. | Bonjour. | Buenas tardes. | نهارك سعيد.
Good evening. | Bonsoir. | Buenas tardes. | مساء الخير.
Good night. | Bonne nuit. | Buenas noches. | تصبح على خير.
Goodbye. | Au revoir. | Adiós. | مع السلامة.
See you soon. | À bientôt. | Hasta pronto. | أراك قريباً.
See you later. | À plus tard. | Hasta luego. | أراك لاحقاً.
See you tomorrow. | À demain. | Hasta mañana. | أراك غداً.
How are you? | Comment allez-vous ? | ¿Cómo está? | كيف حالك؟
I am fine. | Je vais bien. | Estoy bien. | أنا بخير.
I am fine, thank you. | Je vais bien, merci. | Estoy bien, gracias. | أنا بخير، شكراً.
Thank you. | Merci. | Gracias. | شكراً.
Thanks. | Merci. | Gracias. | شكراً.
Thank you very much. | Merci beaucoup. | Muchas gracias. | شكراً جزيلاً.
You are welcome. | Je vous en prie. | De nada. | عفواً.
Please. | S'il vous plaît. | Por favor. | من فضلك.
Excuse me. | Excusez-moi. | Perdone. | المعذرة.
I am sorry. | Je suis désolé. | Lo siento. | أنا آسف.
Sorry. | Pardon. | Perdón. | آسف.
Yes. | Oui. | Sí. | نعم.
No. | Non. | No. | لا.
Yes, please. | Oui, s'il vous plaît. | Sí, por favor. | نعم، من فضلك.
No, thank you. | Non, merci. | No, gracias. | لا، شكراً.
Maybe. | Peut-être. | Quizás. | ربما.
Of course. | Bien sûr. | Por supuesto. | بالطبع.
I do not understand. | Je ne comprends pas. | No entiendo. | لا أفهم.
I do not know. | Je ne sais pas. | No lo sé. | لا أعرف.
I understand. | Je comprends. | Entiendo. | أفهم.
Do you speak English? | Parlez-vous anglais ? | ¿Habla inglés? | هل تتكلم الإنجليزية؟
I do not speak French. | Je ne parle pas français. | No hablo francés. | لا أتكلم الفرنسية.
I do not speak Spanish. | Je ne parle pas espagnol. | No hablo español. | لا أتكلم الإسبانية.
I do not speak Arabic. | Je ne parle pas arabe. | No hablo árabe. | لا أتكلم العربية.
Please speak slowly. | Parlez lentement, s'il vous plaît. | Hable despacio, por favor. | تكلم ببطء من فضلك.
Can you repeat that? | Pouvez-vous répéter ? | ¿Puede repetirlo? | هل يمكنك أن تعيد ذلك؟
Can you write that down? | Pouvez-vous l'écrire ? | ¿Puede escribirlo? | هل يمكنك أن تكتب ذلك؟
Can you help me? | Pouvez-vous m'aider ? | ¿Puede ayudarme? | هل يمكنك مساعدتي؟
What is your name? | Comment vous appelez-vous ? | ¿Cómo se llama? | ما اسمك؟
What is this? | Qu'est-ce que c'est ? | ¿Qué es esto? | ما هذا؟
Nice to meet you. | Enchanté. | Mucho gusto. | تشرفت بمعرفتك.
Where are you from? | D'où venez-vous ? | ¿De dónde es? | من أين أنت؟
Have a good trip. | Bon voyage. | Buen viaje. | رحلة سعيدة.
Have a nice day. | Bonne journée. | Que tenga un buen día. | يوماً سعيداً.
Enjoy your meal. | Bon appétit. | Buen provecho. | بالهناء والشفاء.
Cheers. | Santé. | Salud. | في صحتك.
Congratulations. | Félicitations. | Felicidades. | مبروك.
Happy birthday. | Joyeux anniversaire. | Feliz cumpleaños. | عيد ميلاد سعيد.
Good luck. | Bonne chance. | Buena suerte. | حظاً سعيداً.
Welcome. | Bienvenue. | Bienvenido. | أهلاً وسهلاً.
Help! | Au secours ! | ¡Socorro! | النجدة!
Fire! | Au feu ! | ¡Fuego! | حريق!
Stop! | Arrêtez ! | ¡Alto! | قف!
Stop thief! | Au voleur ! | ¡Al ladrón! | أمسكوا اللص!
Call the police! | Appelez la police ! | ¡Llame a la policía! | اتصل بالشرطة!
Call an ambulance! | Appelez une ambulance ! | ¡Llame a una ambulancia! | اتصل بالإسعاف!
It is an emergency. | C'est une urgence. | Es una emergencia. | إنها حالة طارئة.
I am lost. | Je suis perdu. | Me he perdido. | لقد ضللت الطريق.
I am sick. | Je suis malade. | Estoy enfermo. | أنا مريض.
I am tired. | Je suis fatigué. | Estoy cansado. | أنا متعب.
I am hungry. | J'ai faim. | Tengo hambre. | أنا جائع.
I am thirsty. | J'ai soif. | Tengo sed. | أنا عطشان.
I am cold. | J'ai froid. | Tengo frío. | أشعر بالبرد.
I am hot. | J'ai chaud. | Tengo calor. | أشعر بالحر.
I am in a hurry. | Je suis pressé. | Tengo prisa. | أنا مستعجل.
I am vegetarian. | Je suis végétarien. | Soy vegetariano. | أنا نباتي.
I have a reservation. | J'ai une réservation. | Tengo una reserva. | لدي حجز.
How much is it? | C'est combien ? | ¿Cuánto es? | كم الثمن؟
How much does it cost? | Combien ça coûte ? | ¿Cuánto cuesta? | كم يكلف هذا؟
It is too expensive. | C'est trop cher. | Es demasiado caro. | هذا غالٍ جداً.
Can I pay by card? | Puis-je payer par carte ? | ¿Puedo pagar con tarjeta? | هل يمكنني الدفع بالبطاقة؟
The bill, please. | L'addition, s'il vous plaît. | La cuenta, por favor. | الفاتورة من فضلك.
The menu, please. | La carte, s'il vous plaît. | La carta, por favor. | قائمة الطعام من فضلك.
It is delicious. | C'est délicieux. | Está delicioso. | إنه لذيذ.
What time is it? | Quelle heure est-il ? | ¿Qué hora es? | كم الساعة؟
Where are we? | Où sommes-nous ? | ¿Dónde estamos? | أين نحن؟
Turn left. | Tournez à gauche. | Gire a la izquierda. | انعطف يساراً.
Turn right. | Tournez à droite. | Gire a la derecha. | انعطف يميناً.
Go straight on. | Allez tout droit. | Siga todo recto. | اذهب إلى الأمام مباشرة.
Is breakfast included? | Le petit déjeuner est-il compris ? | ¿Está incluido el desayuno? | هل الفطور مشمول؟
Is there wifi? | Y a-t-il le wifi ? | ¿Hay wifi? | هل توجد شبكة واي فاي؟
What is the wifi password? | Quel est le mot de passe du wifi ? | ¿Cuál es la contraseña del wifi? | ما كلمة سر الواي فاي؟
There is no hot water. | Il n'y a pas d'eau chaude. | No hay agua caliente. | لا يوجد ماء ساخن.
I like it. | Ça me plaît. | Me gusta. | يعجبني هذا.
I am just looking. | Je regarde seulement. | Solo estoy mirando. | أنا أتفرج فقط.
What is the weather like today? | Quel temps fait-il aujourd'hui ? | ¿Qué tiempo hace hoy? | كيف الطقس اليوم؟
I love you. | Je t'aime. | Te quiero. | أحبك.
"""
