"""Teaching in a study file."""

from pathlib import Path

import pytest

from sentilab import studies, workbench
from sentilab.data.generated import generate
from sentilab.errors import SettingsError
from sentilab.studies import Study
from sentilab.training import RunFolder, Silence, seconds_of
from sentilab.training.ensembling import members_of

STUDY = """
name = "taught"
title = "Does it help to be taught?"
seeds = [1, 2]

[data]
source = "generated"
words = 200
length = 12

[protocol]
name = "holdout"

[[run]]
name = "teacher"
model = "bilstm1"
model_settings = { embedding = 4, units = 4 }
epochs = 1

[[run]]
name = "student"
model = "nblr"
epochs = 1
teaching = { teacher = "teacher", unlabelled = "more.txt", confidence = 0.0 }

[[run]]
name = "both"
ensemble = ["teacher", "student"]
"""


def prepared(home: Path, text: str = STUDY, only: tuple[str, ...] = ()) -> Study:
    (home / "study.toml").write_text(text)
    data = generate(train=80, test=40)
    return workbench.prepare_study(studies.read("study.toml"), data, Path("runs"), only=only)


def test_each_seeds_student_is_taught_by_the_teacher_of_its_own_seed(home: Path) -> None:
    study = prepared(home)
    results = study.carry_out(lambda *_: Silence(), lambda _: None)
    assert {one.status for one in results.runs} == {"finished"}
    print_of = study.preparation.dataset.fingerprint
    runs = {one.name: one for one in study.plan.runs}
    for seed in (1, 2):
        teacher, student, both = (
            runs[f"{name}@holdout-{seed}"] for name in ("teacher", "student", "both")
        )
        assert student.settings.teaching is not None
        assert student.settings.teaching.teacher == teacher.settings.fingerprint(print_of)
        assert members_of(both.settings) == (teacher.settings, student.settings)
        told = RunFolder(student.folder).read_json("teaching.json")
        assert told is not None
        assert told["teacher"]["folder"] == teacher.folder.name
        assert told["learned"] > 0

        # The teacher's seconds count for its student, and once for both.
        alone, together = (
            [RunFolder(one.folder) for one in few] for few in ([student], [student, teacher])
        )
        assert seconds_of(alone) > sum(RunFolder(teacher.folder).seconds())
        assert seconds_of(alone) == pytest.approx(seconds_of(together))


def test_a_teacher_is_trained_first_without_being_named(home: Path) -> None:
    study = prepared(home, only=("student",))
    models = [one.settings.model for one in study.plan.trainings]
    assert models == ["bilstm1", "nblr", "bilstm1", "nblr"]
    assert [one.teacher for one in study.plan.trainings[:2]] == [
        None,
        study.plan.trainings[0].folder,
    ]
    results = study.carry_out(lambda *_: Silence(), lambda _: None)
    assert [one.status for one in results.runs] == ["finished", "finished"]


def test_a_student_whose_teacher_was_refused_says_so_and_the_rest_goes_on(home: Path) -> None:
    text = STUDY.replace(
        'model = "bilstm1"\nmodel_settings = { embedding = 4, units = 4 }',
        'model = "mlp-unflattened"',
    )
    results = prepared(home, text).carry_out(lambda *_: Silence(), lambda _: None)
    assert {one.status for one in results.runs} == {"refused"}
    reasons = {one.name: one.reason for one in results.runs}
    assert "the run that teaches it was refused" in reasons["student@holdout-1"]


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('teacher = "teacher"', 'teacher = "student"', 'is "student".* a run above: teacher'),
        ('teacher = "teacher"', 'teacher = "both"', 'is "both"'),
        ('teacher = "teacher", ', "", "teaching.teacher is missing"),
        ('unlabelled = "more.txt", ', "", "teaching.unlabelled is missing"),
        ("confidence = 0.0", "confident = 0.0", "confident"),
        ("confidence = 0.0", "confidence = 2.0", "confidence"),
    ],
)
def test_a_mistake_in_teaching_is_named(
    home: Path, before: str, after: str, complaint: str
) -> None:
    with pytest.raises(SettingsError, match=rf"study.toml, run\[2\].*{complaint}"):
        prepared(home, STUDY.replace(before, after))
