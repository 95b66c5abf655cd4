"""What the admin asks for, and how it checks what it is given."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime, AutocompleteSelect
from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm
from django.db import transaction
from django.utils import timezone

from projects.changes import Action, record_user
from projects.databases import MANAGED, SQLITE_PREFIX, check_address
from projects.errors import InvalidAddress, InvalidName
from projects.models import ApiKey, Membership, Project, User
from projects.names import MAX_LENGTH, shown_name


class PersonForm(UserChangeForm):
    """Without the password's hash, which Django's own form shows in part."""

    password = None  # type: ignore[assignment]


class PasswordForm(AdminPasswordChangeForm):
    """Sets a password, and records that the person's sessions have ended by that."""

    def save(self, commit: bool = True) -> User:
        with transaction.atomic():
            user: User = super().save(commit)
            record_user(Action.UPDATE, user)
        return user


class NameField(forms.CharField):
    """A name as the API takes it: in normal form, nothing hidden in it."""

    def clean(self, value: Any) -> str:
        try:
            return shown_name(super().clean(value))
        except InvalidName as error:
            raise forms.ValidationError(" ".join(error.info.values())) from error


class ProjectForm(forms.ModelForm):
    """A project's name, checked as the API checks it."""

    name = NameField(
        label="Name", max_length=MAX_LENGTH, widget=forms.TextInput(attrs={"class": "vTextField"})
    )


class AddressForm(ProjectForm):
    """For superusers, who alone may say where a project's database is."""

    address = forms.CharField(
        label="Database address",
        required=False,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["address"]
        field.help_text = (
            f"{MANAGED} for a database that Savepoint keeps itself, or "
            f"{SQLITE_PREFIX}/absolute/path for a file under one of SQLITE_ROOTS."
        )
        if self.instance.pk is None:
            field.initial = MANAGED
        else:
            field.label = "New database address"
            field.help_text += " Leave it empty to keep the present one."

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"]
        if not address and self.instance.pk is None:
            address = MANAGED
        if address:
            try:
                check_address(address)
            except InvalidAddress as error:
                raise forms.ValidationError(str(error)) from error
        return address


class ApiKeyForm(forms.Form):
    """What is asked for of a new key."""

    project = forms.ModelChoiceField(
        Project.objects.filter(status=Project.Status.ACTIVE),
        widget=AutocompleteSelect(ApiKey._meta.get_field("project"), admin.site),
    )
    name = NameField(
        max_length=MAX_LENGTH,
        help_text="Who or what will use it.",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    role = forms.ChoiceField(
        choices=[(role.value, role.label) for role in Membership.Role][1:],
        help_text="Members back up and restore; viewers only look.",
    )
    expires_on = forms.SplitDateTimeField(
        label="expires", required=False, widget=AdminSplitDateTime, help_text="Empty: never."
    )

    def clean_expires_on(self) -> datetime | None:
        expires_on: datetime | None = self.cleaned_data["expires_on"]
        if expires_on is not None and expires_on <= timezone.now():
            raise forms.ValidationError("This moment has passed already.")
        return expires_on
