"""The chain: stores, products, seasons, and what people are called. Data alone."""

from typing import NamedTuple

BRAND, BRAND_EN = "青禾茶舍", "Greenleaf Tea & Wellness"
ZONE, OFFSET_SECONDS, CURRENCY = "Asia/Shanghai", 8 * 3600, "CNY"


class Store(NamedTuple):
    name: str
    name_en: str
    city: str
    weight: float


STORES: tuple[Store, ...] = (
    Store("上海静安寺店", "Shanghai Jing'an Temple", "上海", 1.5),
    Store("上海陆家嘴店", "Shanghai Lujiazui", "上海", 1.2),
    Store("北京国贸店", "Beijing Guomao", "北京", 1.3),
    Store("北京三里屯店", "Beijing Sanlitun", "北京", 1.1),
    Store("广州天河店", "Guangzhou Tianhe", "广州", 1.1),
    Store("深圳南山店", "Shenzhen Nanshan", "深圳", 1.2),
    Store("杭州西湖店", "Hangzhou West Lake", "杭州", 1.2),
    Store("成都太古里店", "Chengdu Taikoo Li", "成都", 1.0),
    Store("重庆解放碑店", "Chongqing Jiefangbei", "重庆", 0.9),
    Store("武汉光谷店", "Wuhan Optics Valley", "武汉", 0.8),
    Store("西安大雁塔店", "Xi'an Giant Wild Goose Pagoda", "西安", 0.8),
    Store("南京新街口店", "Nanjing Xinjiekou", "南京", 0.9),
)


class Category(NamedTuple):
    name: str
    name_en: str
    weight: float
    peak: int
    """Day of the year around which it sells best."""
    swing: float
    """Sales follow exp(swing · cos): 0 is no season, 1 sells 7 times as much at the peak as in the trough."""


CATEGORIES: tuple[Category, ...] = (
    Category("绿茶", "Green tea", 1.2, 110, 0.8),
    Category("红茶", "Black tea", 1.0, 350, 0.7),
    Category("乌龙茶", "Oolong tea", 0.9, 290, 0.6),
    Category("冷泡茶", "Cold brew", 1.2, 200, 1.1),
    Category("花草茶", "Herbal tea", 0.8, 60, 0.5),
    Category("茶点", "Pastries", 1.4, 0, 0.0),
    Category("礼盒", "Gift boxes", 0.4, 20, 1.2),
    Category("茶具", "Teaware", 0.3, 320, 0.5),
    Category("养生护理", "Wellness treatments", 0.7, 330, 0.6),
)
TREATMENTS = 8
"""The category that is booked."""


class Product(NamedTuple):
    id: str
    name: str
    name_en: str
    category: int
    price: int
    """Fen."""


PRODUCTS: tuple[Product, ...] = tuple(
    Product(f"T{number:03d}", *row)
    for number, row in enumerate(
        (
            ("茉莉绿茶（杯）", "Jasmine green, cup", 0, 18_00),
            ("碧螺春（壶）", "Biluochun, pot", 0, 58_00),
            ("安吉白茶 100 g", "Anji white 100 g", 0, 168_00),
            ("明前龙井（壶）", "Pre-Qingming Longjing, pot", 0, 88_00),
            ("明前龙井 100 g", "Pre-Qingming Longjing 100 g", 0, 398_00),
            ("奶香红茶（杯）", "Milk black tea, cup", 1, 22_00),
            ("祁门红茶（壶）", "Keemun, pot", 1, 56_00),
            ("正山小种 100 g", "Lapsang souchong 100 g", 1, 158_00),
            ("金骏眉 50 g", "Jin Jun Mei 50 g", 1, 368_00),
            ("桂花乌龙（杯）", "Osmanthus oolong, cup", 2, 24_00),
            ("铁观音（壶）", "Tieguanyin, pot", 2, 62_00),
            ("凤凰单丛 100 g", "Phoenix dancong 100 g", 2, 228_00),
            ("大红袍 50 g", "Da Hong Pao 50 g", 2, 428_00),
            ("柠檬冷泡（杯）", "Lemon cold brew, cup", 3, 16_00),
            ("蜜桃乌龙冷泡（杯）", "Peach oolong cold brew, cup", 3, 20_00),
            ("气泡冷泡（瓶）", "Sparkling cold brew, bottle", 3, 26_00),
            ("冷泡茶包 20 袋", "Cold brew bags, 20", 3, 89_00),
            ("菊花枸杞（杯）", "Chrysanthemum and goji, cup", 4, 20_00),
            ("玫瑰花茶（壶）", "Rose tea, pot", 4, 48_00),
            ("陈皮普洱（壶）", "Tangerine pu'er, pot", 4, 66_00),
            ("养生花草礼罐", "Herbal tin", 4, 188_00),
            ("绿豆糕", "Mung bean cake", 5, 12_00),
            ("抹茶大福", "Matcha daifuku", 5, 18_00),
            ("桂花糕", "Osmanthus cake", 5, 16_00),
            ("茶点拼盘", "Pastry platter", 5, 68_00),
            ("清风礼盒", "Breeze gift box", 6, 198_00),
            ("团圆礼盒", "Reunion gift box", 6, 398_00),
            ("大师礼盒", "Master's gift box", 6, 888_00),
            ("旅行茶具", "Travel tea set", 7, 158_00),
            ("紫砂壶", "Yixing teapot", 7, 680_00),
            ("建盏", "Jian tea bowl", 7, 460_00),
            ("肩颈舒缓 45 分钟", "Neck and shoulders, 45 min", 8, 158_00),
            ("草本足浴 60 分钟", "Herbal foot bath, 60 min", 8, 188_00),
            ("茶疗护理 90 分钟", "Tea therapy, 90 min", 8, 368_00),
            ("双人养生套餐", "Wellness for two", 8, 688_00),
        ),
        1,
    )
)

PATHS: tuple[tuple[str, str], ...] = (
    ("/", "首页"),
    ("/menu", "茶单"),
    ("/prices", "价格"),
    ("/stores", "门店"),
    ("/booking", "预约"),
    ("/card", "会员卡"),
)
PRICES = 2
QUERIES: tuple[str, ...] = ("龙井", "冷泡", "礼盒", "足浴", "低糖", "优惠券", "打折", "茶具", "明前茶", "附近门店")
BARGAINS = (5, 6)
COMPLAINTS: tuple[str, ...] = ("等待过久", "服务态度", "产品质量", "环境卫生", "收费争议")
QUESTIONS: tuple[str, ...] = ("营业时间", "会员权益", "产品咨询", "预约改期", "发票")
MESSAGE_CHANNELS: tuple[str, ...] = ("sms", "wechat", "email")

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾萧田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
GIVEN = "伟芳娜敏静丽强磊洋艳勇军杰娟涛明超霞平刚桂英华玉兰红建文辉鑫宇婷雪琳晨浩梓涵欣怡诗雨佳思嘉俊博子轩若曦"
