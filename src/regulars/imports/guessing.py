"""A first proposal for the mapping of a file, from the names of its columns and from what stands in them.

A guess only proposes: people see it, with a sample, before anything is taken in. What is doubtful is told at the field.
"""

import re
from dataclasses import dataclass

import duckdb

from regulars.imports import formats, people, repeats, staging
from regulars.imports.mappings import TARGETS, Kind, Mapping, Meaning, Returns
from regulars.kernel.languages import Text

SAMPLE = 2000

# Names as people write them, without spaces and marks, in lower case; the first of a list is the surest.
# ruff: noqa: E501
NAMES: dict[str, str] = {
    "order_id": "orderid orderno ordernumber invoiceno invoicenumber invoiceid invoice order transactionid transactionno "
    "receiptno receiptid receipt billno documentno checkoutid 订单号 订单编号 主订单编号 主订单号 子订单编号 单号 交易号 交易单号 "
    "流水号 小票号 发票号 单据号 单据编号 销售单号",
    "at": "paidat paymenttime paymentdate orderedat orderdate ordertime orderdatetime invoicedate purchasedate purchasedat "
    "transactiondate transactiontime saledate salesdate createdat completedat timestamp datetime date time occurredat "
    "eventtime eventdate at 付款时间 支付时间 订单付款时间 成交时间 交易时间 下单时间 订单创建时间 订单日期 订单时间 下单日期 销售日期 "
    "消费时间 消费日期 交易日期 创建时间 发生时间 事件时间 日期时间 日期 时间",
    "time": "timeofday hour 时刻 时间 下单时刻 time ordertime transactiontime",
    "quantity": "quantity qty units pieces count numberofcds numberofitems items itemcount 数量 购买数量 件数 商品数量 销售数量 "
    "宝贝数量",
    "price": "unitprice price itemprice priceperunit priceeach 单价 商品单价 价格 售价 成交单价 商品价格 实际单价",
    "line_total": "linetotal lineamount subtotal itemtotal amount sales totalprice extendedprice revenue dollarvalue value "
    "行金额 小计 金额 销售额 销售金额 商品金额 成交金额 实收 实收金额 消费金额 总价",
    "order_total": "ordertotal orderamount total totalamount grandtotal totalpaid amountpaid paid 订单金额 订单总额 实付金额 "
    "实付款 总金额 订单总价 买家实际支付金额 买家实付金额 应付金额 合计",
    "product_id": "productid sku skuid stockcode itemid itemno itemcode productcode articleno barcode 商品编号 商品编码 商品id "
    "货号 商家编码 条码 商品条码 产品编号 sku编码",
    "product": "productname product description item itemname title article 商品名称 商品名 商品 品名 产品名称 产品 宝贝标题 商品标题 "
    "项目 服务项目",
    "category": "category productcategory categoryname department type 品类 分类 类别 类目 商品分类 商品类别 产品类别",
    "store": "store storeid storename shop shopname branch outlet location 门店 店铺 门店名称 店铺名称 分店 网点 店名",
    "channel": "channel saleschannel source platform ordersource 渠道 销售渠道 来源 平台 订单来源 下单渠道",
    "currency": "currency currencycode 币种 货币 货币代码",
    "status": "status orderstatus state financialstatus paymentstatus 状态 订单状态 交易状态 支付状态",
    "event": "event eventname eventtype action 事件 事件名 事件名称 行为",
    "message_id": "messageid eventid uuid 事件编号 事件id 消息id",
    "user_id": "customerid userid customerno customernumber customercode customerref clientid clientno clientnumber memberid "
    "memberno membernumber buyerid custid uid username login accountid accountno accountnumber 客户编号 客户id 会员编号 "
    "会员id 用户id 用户编号 会员号 买家id 顾客编号 客户号 顾客id 客户代码 "
    "会员代码 用户名 登录名 账号 买家会员名",
    "phone": "phone mobile phonenumber mobilephone mobilenumber tel telephone cellphone 手机号 手机 手机号码 电话 联系电话 联系手机 "
    "会员手机号 收货人手机 买家手机",
    "email": "email emailaddress mail 邮箱 电子邮箱 电子邮件 邮件",
    "member_card": "membercard cardno cardnumber loyaltycard loyaltynumber 会员卡号 会员卡 卡号",
    "wechat_openid": "openid wechatopenid wxopenid 微信openid",
    "wechat_unionid": "unionid wechatunionid wxunionid 微信unionid",
    "wecom_external_userid": "externaluserid wecomexternaluserid 企业微信externaluserid 外部联系人id",
    "anonymous_id": "anonymousid visitorid cookieid 匿名id 匿名编号 访客id",
    "device": "deviceid device imei idfa oaid 设备id 设备号",
    "name": "name customername fullname buyername contact 姓名 客户姓名 会员姓名 客户名称 会员名称 收货人 收货人姓名 联系人 昵称",
    "gender": "gender sex 性别",
    "birthday": "birthday birthdate dateofbirth dob 生日 出生日期",
    "country": "country nation countryname countrycode 国家 国家地区",
    "province": "province region stateprovince 省份 省 收货省份",
    "city": "city town 城市 市 所在城市 收货城市",
    "tags": "tags tag labels 标签 客户标签",
}
_PEOPLE = (
    "customer customers client buyer guest member patron shopper user account purchaser "
    "客户 客人 顾客 会员 买家 用户 宾客 购买人 消费者"
)
PEOPLE = frozenset(_PEOPLE.split())
"""Headers that say neither name nor number: their values tell. Only whole: a customer's level is neither."""
LOGINS = frozenset({"username", "login", "用户名", "登录名", "账号", "买家会员名"})
"""Headers of what is made of letters and yet one person's alone."""
_KNOWN = {target: names.split() for target, names in NAMES.items()}

STATUSES: dict[Meaning, str] = {
    "paid": "paid completed complete success successful succeeded shipped delivered fulfilled processing closed won ok "
    "交易成功 已付款 已支付 支付成功 已完成 完成 已发货 已签收 已收货 待发货 待收货 买家已付款 卖家已发货 已核销 成功 已结账",
    "refunded": "refunded refund returned return chargeback 已退款 退款成功 退款 已退货 退货 全额退款 退款完成",
    "cancelled": "cancelled canceled cancel void voided expired 已取消 取消 交易关闭 已关闭 订单关闭 已作废 作废 关闭",
    "unpaid": "pending unpaid awaitingpayment pendingpayment failed draft open onhold 待付款 未付款 未支付 待支付 等待买家付款 支付失败",
}


def plain(name: str) -> str:
    """A header without case, spaces, marks and what stands in brackets: “Unit Price (¥)” is unitprice."""
    name = re.sub(r"[(（\[【].*?[)）\]】]", "", name)
    return re.sub(r"[\W_]+", "", name).lower()


@dataclass(frozen=True, slots=True)
class Content:
    """Shares of a column's filled cells in the sample that are numbers, dates, whole numbers, …; `filled` of all."""

    filled: float
    numbers: float
    dates: float
    times: float
    emails: float
    phones: float
    negative: float
    distinct: float
    flags: float
    words: float
    names: float


def contents(database: duckdb.DuckDBPyConnection, columns: int) -> list[Content]:
    """What stands in each column of the first rows."""
    answer = []
    for index in range(columns):
        formats.written(
            database,
            "tried",
            f"SELECT tidy(c{index}), min(row) FROM (SELECT * FROM raw ORDER BY row LIMIT {SAMPLE}) "
            f"WHERE tidy(c{index}) IS NOT NULL GROUP BY 1",
        )
        us = formats.number("d", ".")
        eu = formats.number("d", ",")
        row = database.execute(
            f"""SELECT count(*), count(x), count(coalesce({us}, {eu})), count(CASE WHEN length(x) >= 6 THEN
            coalesce(ymd, dmy, mdy, named, make_timestamp(instant)) WHEN length(x) = 5 THEN named END),
            count(*) FILTER (regexp_full_match(x, '\\d{{1,2}}:\\d{{2}}(:\\d{{2}})?( ?[AaPp][Mm])?')),
            count(*) FILTER (regexp_full_match(x, '[^@\\s]+@[^@\\s]+\\.[A-Za-z]{{2,}}')),
            count(*) FILTER (regexp_full_match(x, '(\\+?86[- ]?)?1[3-9]\\d{{9}}(\\.0)?|\\+\\d[\\d ()-]{{7,18}}')),
            count(*) FILTER ({us} < 0), count(DISTINCT x),
            count(*) FILTER (lower(x) IN ('yes', 'no', 'y', 'n', 'true', 'false', '是', '否', '有', '无', '0', '1')),
            count(*) FILTER (regexp_full_match(x, {formats.literal(people.WORDS)}) OR regexp_full_match(x, {formats.literal(people.NAMES)})),
            count(*) FILTER (regexp_full_match(x, {formats.literal(people.NAMES)}))
            FROM (SELECT v AS x, digits(v) AS d FROM (SELECT tidy(c{index}) AS v FROM (
              SELECT * FROM raw ORDER BY row LIMIT {SAMPLE}))) LEFT JOIN tried USING (x)"""
        ).fetchone()
        assert row
        filled = row[1] or 1
        answer.append(Content(row[1] / (row[0] or 1), *(value / filled for value in row[2:])))
    database.execute("DROP TABLE IF EXISTS tried")
    return answer


def _fits(target: str, header: str, content: Content, rating: int) -> bool:
    """Whether the content doesn't contradict the target: a column whose very name says it may hold more dirt."""
    if not content.filled:
        return False
    if plain(header) in PEOPLE and content.flags >= people.MOST:
        return False
    if target in ("user_id", "member_card") and plain(header) not in LOGINS:
        named = content.words if plain(header) in PEOPLE else content.names
        if named >= people.MOST:
            return False
    if target == "name" and rating <= _BY_VALUES:
        return (content.words if plain(header) in PEOPLE else content.names) >= people.MOST
    most = 0.3 if rating > 900 else 0.8
    match TARGETS[target].values:
        case "number":
            return content.numbers >= most
        case "date":
            return content.dates >= most
        case "time":
            return content.times >= most
    match target:
        case "email":
            return content.emails >= 0.5
        case "phone":
            return content.numbers >= 0.5 or content.phones >= 0.5
        case "product" | "name" | "city" | "province" | "category":
            return content.numbers < 0.9
        case "user_id" | "order_id" | "store":
            return content.emails < 0.9 and (content.dates < 0.9 or content.numbers > 0.9)
    return True


_BY_VALUES = 500


def _rating(target: str, header: str) -> int:
    """How surely the header names the target: 0 not at all; exact names before parts of names."""
    name, known = plain(header), _KNOWN[target]
    if name in known:
        return 1000 - known.index(name)
    if target in ("user_id", "name") and (name in PEOPLE or (target == "name" and name in _KNOWN["user_id"])):
        return _BY_VALUES
    for index, word in enumerate(known):
        if len(word) >= (2 if ord(word[0]) > 0x2E80 else 4) and (name.endswith(word) or name.startswith(word)):
            return 400 - index
    return 0


def guess(
    database: duckdb.DuckDBPyConnection, headers: list[str], kind: Kind
) -> tuple[Mapping, list[tuple[str, Text]]]:
    """The mapping to propose, and (field, doubt) pairs."""
    found = contents(database, len(headers))
    offered = [target for target, about in TARGETS.items() if kind in about.kinds]
    rated = sorted(
        (
            (-rating, offered.index(target), index, target)
            for index, header in enumerate(headers)
            for target in offered
            if (rating := _rating(target, header)) and _fits(target, header, found[index], rating)
        )
    )  # fmt: skip
    columns: dict[str, str] = {}
    taken: set[int] = set()
    for _, _, index, target in rated:
        if target not in columns and index not in taken:
            columns[target] = headers[index]
            taken.add(index)
    free = [index for index in range(len(headers)) if index not in taken]
    _by_content(columns, free, headers, found, kind)
    told: list[tuple[str, Text]] = []
    if kind == "orders":
        return _orders(database, headers, columns, found, told)
    properties = tuple(
        headers[index] for index in free if headers[index] not in columns.values() and found[index].filled
    )[:50]
    told += _orders_after_all(headers, found) if kind == "customers" else []
    return Mapping(kind=kind, columns=columns, properties=properties), told


def _orders_after_all(headers: list[str], found: list[Content]) -> list[tuple[str, Text]]:
    """A doubt where a file of customers names what only orders have: a number, a day and an amount."""
    named: list[str] = []
    for wanted in (("order_id",), ("at",), ("order_total", "line_total", "price")):
        sure = (
            header
            for target in wanted
            for header, content in zip(headers, found, strict=True)
            if (rating := _rating(target, header)) > _BY_VALUES and _fits(target, header, content, rating)
        )
        named.append(next(sure, ""))
    if not all(named):
        return []
    listed = Text(", ".join(named), "、".join(named))
    text = Text(
        "This file looks like orders ({columns}). To bring the orders in too, begin again and choose Orders.",
        "这个文件看起来是订单（{columns}）。如需导入订单，请重新上传并选择“订单”。",
    )
    return [("file", text.filled(columns=listed))]


def _by_content(columns: dict[str, str], free: list[int], headers: list[str], found: list[Content], kind: Kind) -> None:
    """Columns whose content says it all, whatever they are called."""

    def take(target: str, share: str) -> None:
        if target in columns or kind not in TARGETS[target].kinds:
            return
        index = next((i for i in free if getattr(found[i], share) >= 0.9 and found[i].filled), None)
        if index is not None:
            columns[target] = headers[index]
            free.remove(index)

    take("email", "emails")
    take("phone", "phones")
    if kind != "customers":
        take("at", "dates")


def _orders(
    database: duckdb.DuckDBPyConnection, headers: list[str], columns: dict[str, str], found: list[Content],
    told: list[tuple[str, Text]],
) -> tuple[Mapping, list[tuple[str, Text]]]:  # fmt: skip
    mapping = Mapping(kind="orders", columns=columns)
    if "order_id" in columns:
        returns = _returns(database, headers, mapping)
        daily = _repeats_daily(database, headers, mapping)
        mapping = mapping.model_copy(update={"returns": returns, "repeats": "daily" if daily else "never"})
        mapping = _totals(database, headers, mapping)
        if daily:
            text = Text(
                "Order numbers come again on other days: a number counts for its own day.",
                "订单号在不同日期重复出现，因此按“订单号 + 日期”区分订单。",
            )
            told.append(("order_id", text))
    if "status" in columns:
        meanings: dict[str, Meaning] = {}
        for status, _ in staging.statuses(database, headers, mapping):
            meaning = next((m for m, names in STATUSES.items() if plain(status) in names.split()), None)
            if meaning:
                meanings[status] = meaning
        mapping = mapping.model_copy(update={"statuses": meanings})
        told += unknown_statuses(database, headers, mapping)
    return mapping, told


def unknown_statuses(
    database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping
) -> list[tuple[str, Text]]:
    """(field, doubt) where the file has statuses of which the mapping doesn't say what they mean."""
    unknown = [status for status, _ in staging.statuses(database, headers, mapping) if status not in mapping.statuses]
    if not unknown:
        return []
    text = Text(
        "Say what these statuses mean; until then their rows are rejected: {which}.",
        "请说明以下状态的含义，否则相应行将被拒绝：{which}。",
    ).filled(which=Text(", ".join(unknown[:10]), "、".join(unknown[:10])))
    return [("status", text)]


def _totals(database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping) -> Mapping:
    """Where one column of amounts is there, whose it is: the order's or the line's."""
    columns = dict(mapping.columns)
    named = [target for target in ("line_total", "order_total") if target in columns]
    if len(named) == 1:
        belongs = repeats.belongs_to(repeats.found(database, headers, mapping), named[0])
        columns[belongs] = columns.pop(named[0])
    return mapping.model_copy(update={"columns": columns})


def _returns(database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping) -> Returns:
    """By prefix, when order numbers with a letter in front stand for negative quantities almost without exception and
    numbers without it do not; else by the sign.
    """
    if "quantity" not in mapping.columns:
        return Returns()
    order = f"c{headers.index(mapping.columns['order_id'])}"
    quantity = f"c{headers.index(mapping.columns['quantity'])}"
    rows = database.execute(
        f"SELECT upper(regexp_extract(tidy({order}), '^([A-Za-z]{{1,4}})[-_]?\\d', 1)) AS p, count(*), "
        f"count(*) FILTER (starts_with(digits(tidy({quantity})), '-')) FROM raw WHERE {order} IS NOT NULL GROUP BY 1"
    ).fetchall()
    if len(rows) < 2:
        return Returns()
    best = max((row for row in rows if row[0]), key=lambda row: row[2], default=None)
    if best is None or best[2] < 0.95 * best[1] or best[2] < 0.5 * sum(row[2] for row in rows):
        return Returns()
    return Returns(by="prefix", prefix=best[0])


def _repeats_daily(database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping) -> bool:
    """Whether more than one order number in twenty stands on days that are far apart."""
    if "at" not in mapping.columns:
        return False
    staging.decide(database, headers, mapping)
    order, at = (f"c{headers.index(mapping.columns[name])}" for name in ("order_id", "at"))
    row = database.execute(
        f"SELECT count(*), count(*) FILTER (last > first + INTERVAL 2 DAY) FROM (SELECT min(t) AS first, max(t) AS last "
        f"FROM (SELECT {order} AS o, coalesce(named, ymd, dmy, mdy) AS t FROM raw JOIN dates ON x = tidy({at})) "
        "GROUP BY o)"
    ).fetchone()
    return bool(row and row[0] and row[1] > 0.05 * row[0])
