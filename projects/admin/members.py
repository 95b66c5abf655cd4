"""The members on a project's page; every change goes through the services, so it has its event."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from projects import services
from projects.admin.columns import link
from projects.models import Membership, Project, User


class PersonText(forms.Widget):
    """Shows a person who can't be exchanged for another."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        return link(value, value.display_name)


class MemberForm(forms.ModelForm):
    """One membership. The owner's own is fixed; no other becomes an owner's."""

    class Meta:
        model = Membership
        fields = ("user", "role", "status")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.fields:
            return  # for a reader without the permission to change members
        if self.instance.pk is None:
            self.fields["status"].disabled = True
        else:
            self.initial["user"] = self.instance.user
            self.fields["user"] = forms.Field(disabled=True, widget=PersonText)
        if self.instance.pk is not None and self.instance.user_id == project.owner_id:
            self.fields["role"].disabled = self.fields["status"].disabled = True
        else:
            kept = {Membership.Role.MEMBER, Membership.Role.VIEWER, self.instance.role}
            self.fields["role"] = forms.ChoiceField(
                choices=[choice for choice in Membership.Role.choices if choice[0] in kept],
                initial=Membership.Role.MEMBER,
            )


class MemberFormSet(forms.BaseInlineFormSet):
    """Saves by the services only."""

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return super().get_form_kwargs(index) | {"project": self.instance}

    def save_new(self, form: forms.ModelForm, commit: bool = True) -> Membership:
        return services.set_member(
            project=self.instance,
            user=form.cleaned_data["user"],
            role=form.cleaned_data["role"],
        )

    def save_existing(
        self, form: forms.ModelForm, obj: Membership, commit: bool = True
    ) -> Membership:
        if form.cleaned_data["status"] == Membership.Status.REMOVED:
            services.remove_member(membership=obj)
            return obj
        return services.set_member(
            project=self.instance, user=obj.user, role=form.cleaned_data["role"]
        )


class MemberInline(admin.TabularInline):
    """The people of a project, those removed included; API keys are listed elsewhere."""

    model = Membership
    form = MemberForm
    formset = MemberFormSet
    autocomplete_fields = ("user",)
    extra = 0
    can_delete = False
    verbose_name = "member"
    verbose_name_plural = "members"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        people = super().get_queryset(request).filter(user__kind=User.Kind.PERSON)
        return people.select_related("user", "project")

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "user":
            kwargs["queryset"] = User.objects.filter(kind=User.Kind.PERSON, is_active=True)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)
