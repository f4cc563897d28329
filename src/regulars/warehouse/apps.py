from django.apps import AppConfig


class WarehouseConfig(AppConfig):
    name = "regulars.warehouse"
    label = "warehouse"
