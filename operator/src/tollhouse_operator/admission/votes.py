from __future__ import annotations
from tollhouse_operator.admission.answer import Answer
def judge_votes(request, account, now):
    return Answer(True)
