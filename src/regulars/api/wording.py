"""Words of the description of the API: both languages side by side, since one document serves everybody; and one of
them alone, for the page to read.
"""

import re
from typing import Any

_BETWEEN = " · "
_CHINESE = re.compile(r"[\u4e00-\u9fff]")

TAGS = {
    "customers": "客户", "identities": "标识与合并", "consent": "同意", "tags": "标签", "notes": "备注",
    "events": "事件", "orders": "订单", "figures": "指标", "segments": "分群", "webhooks": "Webhook",
}  # fmt: skip
LABELS = {
    "Authorize": "授权", "Available authorizations": "可用的授权方式", "Authorized": "已授权", "Logout": "退出",
    "Close": "关闭", "Value:": "值：", "Try it out": "试一试", "Cancel": "取消", "Reset": "重置", "Execute": "执行",
    "Clear": "清除", "Parameters": "参数", "No parameters": "无参数", "Name": "名称", "Description": "说明",
    "Request body": "请求正文", "required": "必填", "Responses": "响应", "Response": "响应", "Code": "状态码",
    "Details": "详情", "Links": "链接", "No links": "无", "Media type": "媒体类型",
    "Controls": "控制", "header.": "请求头。", "Example Value": "示例值", "Schema": "结构", "Schemas": "数据结构",
    "Operations": "接口",
    "Headers:": "响应头：", "Type": "类型", "Curl": "Curl 命令", "Request URL": "请求地址",
    "Server response": "服务器响应", "Response body": "响应正文",
    "Response headers": "响应头", "Request duration": "耗时", "Download": "下载",
    "Send empty value": "发送空值", "Add": "添加", "Loading...": "加载中……", "Example": "示例", "Examples": "示例",
    "Expand all": "全部展开", "Collapse all": "全部收起", "Undocumented": "未在文档中说明", "Servers": "服务器",
    "string": "文本", "integer": "整数", "number": "数字", "boolean": "是/否", "object": "对象", "array": "列表",
}  # fmt: skip
"""What Swagger UI says of itself → in Chinese."""


def said(en: str, zh: str) -> str:
    return f"{en}{_BETWEEN}{zh}"


def alone(text: str, language: str) -> str:
    """Of a text in both languages, by halves or by paragraphs, the one."""
    chinese = language.startswith("zh")
    kept = []
    paragraphs = text.split("\n\n")
    both = any(_CHINESE.search(paragraph) for paragraph in paragraphs)
    for paragraph in paragraphs:
        en, between, zh = paragraph.partition(_BETWEEN)
        if between and _CHINESE.search(zh):
            kept.append(zh if chinese else en)
        elif not both or bool(_CHINESE.search(paragraph)) == chinese:
            kept.append(paragraph)
    return "\n\n".join(kept)


def in_language(part: Any, language: str) -> Any:
    """The description (or a part of it) with its texts in one language."""
    if isinstance(part, list):
        return [in_language(item, language) for item in part]
    if not isinstance(part, dict):
        return part
    changed = {}
    for key, value in part.items():
        if key in ("description", "summary", "title") and isinstance(value, str):
            value = alone(value, language)
        elif key == "tags" and isinstance(value, list) and language.startswith("zh"):
            value = [TAGS.get(tag, tag) if isinstance(tag, str) else tag for tag in value]
        else:
            value = in_language(value, language)
        changed[key] = value
    return changed
