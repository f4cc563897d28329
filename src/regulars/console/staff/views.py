"""The people who work here and what their roles may do."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from regulars.accounts import queries, services
from regulars.accounts.capabilities import CAPABILITIES, OF_ROLE, ROLES
from regulars.console.requests import ConsoleRequest, page
from regulars.console.toasts import toast
from regulars.kernel.errors import Problem
from regulars.kernel.languages import Text


def _listed(request: ConsoleRequest, problem: Problem | None = None, *, of: int | None = None) -> HttpResponse:
    """With what is wrong in the row of the person `of`, else in the form for somebody new."""
    if problem and problem.field is None:
        raise problem
    context = {
        "staff": queries.staff(),
        "roles": ROLES.items(),
        "role_texts": ROLES,
        "capabilities": [
            (text, [(role, key in OF_ROLE[role]) for role in ROLES]) for key, text in CAPABILITIES.items()
        ],
        "problem": None if of else problem,
        "wrong": problem,
        "of": of,
        "given": request.POST,
    }
    return render(request, "console/staff/list.html", context, status=problem.status if problem else 200)


@page(capability="staff.edit")
def staff(request: ConsoleRequest) -> HttpResponse:
    if request.method == "POST":
        try:
            person = services.add_staff(
                email=request.POST.get("email", ""),
                name=request.POST.get("name", ""),
                role=request.POST.get("role", ""),
                password=request.POST.get("password", ""),
                by=request.actor,
            )
        except Problem as problem:
            return _listed(request, problem)
        toast(request, Text("{name} can log in now.", "{name} 现在可以登录了。").filled(name=person.name))
        return redirect("staff:list")
    return _listed(request)


@page(capability="staff.edit")
@require_POST
def change(request: ConsoleRequest, id: int) -> HttpResponse:
    before = {"role": request.POST.get("was_role", ""), "active": request.POST.get("was_active", "")}
    active = request.POST.get("active")
    try:
        person = services.change_staff(
            id=id, role=request.POST.get("role"), active=None if active is None else active == "1", by=request.actor
        )
    except Problem as problem:
        return _listed(request, problem, of=id)
    role = ROLES[person.role]
    if not person.is_active:
        said = Text("{name} can't log in any more.", "{name} 已不能登录。")
    elif active is not None:
        said = Text("{name} can log in again.", "{name} 可以重新登录了。")
    else:
        said = Text("{name} is {role} now.", "{name} 现在的角色是{role}。")
    said = said.filled(name=person.name, role=role)
    toast(request, said, undo=request.path, fields={k: v for k, v in before.items() if v})
    return redirect("staff:list")


@page(capability="staff.edit")
@require_POST
def password(request: ConsoleRequest, id: int) -> HttpResponse:
    try:
        services.set_password(id=id, password=request.POST.get("password", ""), by=request.actor)
    except Problem as problem:
        return _listed(request, problem, of=id)
    toast(request, Text("The password is set; tell it to them in person.", "密码已设置，请当面告知本人。"))
    return redirect("staff:list")
