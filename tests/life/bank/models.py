from django.db import models


class Account(models.Model):
    number = models.IntegerField(unique=True)
    balance = models.BigIntegerField(default=0)

    class Meta:
        app_label = "bank"

    def __str__(self) -> str:
        return f"account {self.number}"


class Entry(models.Model):
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries")
    amount = models.BigIntegerField()
    name = models.CharField(max_length=40, unique=True)
    note = models.TextField()

    class Meta:
        app_label = "bank"

    def __str__(self) -> str:
        return self.name
