"""Jobs, and the event log by polling."""

from rest_framework.views import APIView

from config.openapi.call import Call
from config.openapi.entities import CURSOR, CURSOR_SHAPE, EVENT, JOB, JOB_TOKEN, PROJECT, TOKEN
from config.openapi.failures import CURSOR_UNKNOWN, JOB_UNKNOWN
from config.openapi.shapes import choice, list_of, record, text, whole
from jobs import events, views
from jobs.models import Job

TAG = "Jobs and events"

CALLS: dict[type[APIView], Call] = {
    views.JobsGetView: Call(
        TAG,
        "Jobs as they stand",
        record({"project": PROJECT, "jobs": list_of(JOB)}),
        takes=views.JobsGetParameters,
        body={"job": JOB_TOKEN},
        fails=(JOB_UNKNOWN,),
        description=f"The latest {views.LATEST}, or those that are named. A job has ended well when"
        " its status is `done` and its `info` has no `error`.",
    ),
    views.JobsCancelView: Call(
        TAG,
        "Cancel a job",
        record(
            {
                "job": TOKEN,
                "status": choice(
                    Job.Status.REJECTED, Job.Status.PROCESSING, Job.Status.DONE, Job.Status.QUEUED
                ),
            }
        ),
        takes=views.CancelParameters,
        body={"job": JOB_TOKEN},
        fails=(JOB_UNKNOWN,),
        description="For members. One that waits is `rejected` at once, one that is processed"
        " undoes what it began and ends with an error, one that has ended stays as it is.",
    ),
    views.CursorsView: Call(
        TAG,
        "Where the log stands",
        record(
            {"cc.cursor": CURSOR_SHAPE},
            optional={"cursor": whole(0, maximum=0, description="With `project` only.")},
        ),
        takes=views.CursorsParameters,
        body={},
        forbids=True,
    ),
    views.GetView: Call(
        TAG,
        "What came after a cursor",
        record(
            {"sync": list_of(EVENT, maxItems=events.PAGE)},
            optional={"warning": text("there are more events: call again with the last cursor")},
        ),
        takes=views.GetParameters,
        body={"cc_cursor": CURSOR - 1},
        forbids=True,
        fails=(CURSOR_UNKNOWN,),
        description="In order, without a gap or a repeat; with a `warning` if there are more: call"
        " again with the last cursor.",
    ),
}
