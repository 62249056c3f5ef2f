"""What a hostile app may try, line by line, and what shows that it gets nothing by it.

The lines are those of our research into sandboxes; each names cases of `uploads`, `attacks`,
`further` and `web`, or a test elsewhere as `file::test`.
"""

DOOR = "tests/hostile/test_through_the_door.py"
INSIDE = "tests/hostile/test_in_the_sandbox.py"
CALLS, REPLAY = "tests/runs/test_host_calls.py", "tests/sdk/cli/test_sandboxed.py"
CLIENT, PARTS = "tests/sandbox/test_client.py", "tests/sandbox/test_components.py"
ADS, BILLING = "tests/ads/test_service.py", "tests/billing/test_service.py"
PREFIXES = "tests/inference/test_scheduler_prefixes.py"

COVERED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("An endless loop", ("endless loop",)),
    ("One huge sum", ("huge power",)),
    ("A regular expression that explodes", ("catastrophic regex",)),
    (
        "Endless generators, into `sum`, `sorted` and the output",
        ("endless sum", "endless generator into sorted", "output flood", "many small items"),
    ),
    ("A sleep without end", ("long sleep", "endless sleeps")),
    ("Waiting for input", ("waiting for somebody to type", "reading what nobody sends")),
    (
        "Loops at import, in destructors, when classes are made, in decorators",
        (
            "a loop at import",
            "loop in a destructor",
            "a loop when a class is made",
            "a loop in a decorator",
        ),
    ),
    (
        "Catching everything around a loop",
        ("loop that catches everything", "memory bomb that catches", "a loop in a finally"),
    ),
    (
        "Many short runs in place of a long one",
        (
            f"{DOOR}::test_many_small_runs_are_no_way_round_the_hour",
            "tests/runs/test_budgets.py::test_a_run_may_use_no_more_than_the_hour_has_left",
            f"{CLIENT}::test_what_an_app_used_counts_where_the_store_ended_its_run",
        ),
    ),
    ("One huge object", ("one huge object", "a list multiplied", "bad format width")),
    ("A list that grows", ("growing list", "endless string growth", "nested lists without end")),
    (
        "Fifty memories, many tables",
        ("several memories", "fifty memories", "many tables", "a table without end"),
    ),
    ("Recursion in Python", ("recursion", "recursion without a limit")),
    ("Recursion in C", ("deep json", "deep source", "a deep repr")),
    ("A result of two hundred megabytes", ("two hundred megabytes of text", "huge text")),
    ("Handles left open", ("answers left open",)),
    ("Processes", ("a process", "fork", "a signal")),
    ("Threads", ("a thread",)),
    ("Sockets", ("a socket", "the C socket")),
    (
        "Files, read, listed, written, by way of `..` and links",
        (
            "read a file",
            "write a file",
            "a listing of the root",
            "climb out of the release",
            "the C file",
            "a temporary file",
            "a link",
            "an absolute path",
        ),
    ),
    (
        "Ending the process",
        ("exit of the process", "exit", "abort", "the end of the process", "segfault"),
    ),
    (
        "Looking for secrets in the environment, the arguments, the paths",
        ("the environment", "the arguments of the process", "the places of modules"),
    ),
    ("Flooding the log", ("log flood", "a flood of errors")),
    ("Crafted bytecode", ("crafted bytecode",)),
    ("Bad marshal, hostile pickle", ("bad marshal", "a pickle bomb")),
    (
        "Ways back to what was replaced",
        (
            "ctypes",
            "the C types",
            "an original out of the heap",
            "up the frames",
            "reloaded modules",
            "a reloaded clock",
            "an audit hook against ours",
        ),
    ),
    (
        "A patched SDK that forges calls",
        ("a patched SDK", "a forged scope", "the interface itself", "an ungranted permission"),
    ),
    (
        "State of an earlier run",
        ("what an earlier run left", f"{DOOR}::test_the_next_run_finds_nothing_of_the_one_before"),
    ),
    ("Half a character", ("a lone surrogate",)),
    (
        "Null, right-to-left, no-width and terminal characters, endless names",
        (
            "a key with a null",
            "a key that reads backwards",
            "a key with no width",
            "a key for a terminal",
            "a key without end",
        ),
    ),
    (
        "A call beyond its size, a list of a million",
        ("a call beyond its size", "a list of a million", "deep json to the host"),
    ),
    ("A flood of calls", ("host call flood", "forms without end")),
    (
        "Entering the store again from within a call",
        (
            f"{INSIDE}::test_a_call_may_begin_another_run_and_neither_enters_the_other",
            "an import loop",
        ),
    ),
    (
        "Forged, foreign and used-up handles",
        ("a forged handle", "a handle that is no number", "an answer read past its end"),
    ),
    (
        "Another world than ours",
        (
            "another version of the world",
            "a component that wants the loader",
            "a component that wants WASI",
            "a run of another shape",
            "an op that does not exist",
            "a host's own word",
        ),
    ),
    (
        "A host that fails for eight tenants at once",
        (f"{INSIDE}::test_a_host_that_fails_eight_tenants_at_once_tells_none_of_anothers",),
    ),
    (
        "Native code, text and compile bombs as components",
        (
            "compiled code as a component",
            "text as a component",
            "a core module",
            "half a component",
            "a proposal that is off",
            f"{PARTS}::test_a_component_that_is_too_hard_to_compile_ends_only_its_compiler",
        ),
    ),
    (
        "Other encodings and types at the border",
        (
            "texts in UTF-16",
            "lists of records",
            "pairs in its types",
            "a component whose answer is no text",
            "a component that answers what it has not",
        ),
    ),
    (
        "Hostile archives",
        (
            "zip slip",
            "a zip bomb",
            "a zip in the zip",
            "twice the same file",
            "too many files",
            "a name without end",
            "an encrypted entry",
            "a device",
        ),
    ),
    (
        "A manifest that lies",
        (
            "a permission it does not ask for",
            "an id that only looks like another",
            "a lock that lies",
            "no lock",
            "every host there is",
            "a secret that may go anywhere",
            f"{DOOR}::test_a_version_never_changes_and_an_id_has_one_owner",
        ),
    ),
    (
        "Markup in icons and in what an app says",
        (
            "a script in the icon",
            "an event in the icon",
            "a page in the icon",
            "entities in the icon",
            f"{DOOR}::test_what_an_app_says_is_text_on_the_page_and_chance_is_new_each_time",
        ),
    ),
    (
        "Memory of other people and other apps",
        (
            "another's memory by its key",
            "shared memory without the grant",
            f"{CALLS}::test_values_of_another_app_are_out_of_reach",
        ),
    ),
    ("More memory than one may keep", ("a value beyond its size", "a shelf without end")),
    (
        "A prompt that has the app send what it knows",
        ("a stranger's host", "a redirect off the list", "a secret to another host"),
    ),
    (
        "Another's session out of the model",
        (
            f"{PREFIXES}::test_nothing_passes_to_another_release_or_adapter",
            f"{PREFIXES}::test_what_a_person_typed_is_read_once_for_that_person",
        ),
    ),
    (
        "Fraud with advertisements",
        (
            "a slot without end",
            "a slot of its own invention",
            "a slot forged as an item",
            "an advertisement without the grant",
            f"{ADS}::test_the_same_slot_of_a_run_gets_one_offer",
            f"{ADS}::test_a_developer_who_runs_their_own_app_costs_nobody_anything",
            f"{ADS}::test_a_click_without_a_view_is_not_counted",
            "tests/runs/test_timers.py::test_it_shows_no_advertisements",
        ),
    ),
    (
        "Fraud with payments",
        (
            "a forged entitlement",
            "a purchase in the person's name",
            "units below nothing",
            "a price below nothing",
            f"{BILLING}::test_news_in_any_order_and_number_ends_the_same",
            f"{BILLING}::test_buying_twice_at_the_same_moment_makes_one_order",
            f"{BILLING}::test_no_more_goes_back_than_was_paid",
        ),
    ),
    (
        "Reaching inside by way of the web",
        (
            "this machine by its address",
            "an address in octal",
            "an address as one decimal number",
            "IPv4 inside IPv6",
            "a name that leads inside",
            "a name that changes where it leads",
            "a redirect inside",
            "a line break in the path",
            "a line break in a header",
        ),
    ),
    (
        "Measuring neighbours; chance that is the same for all",
        (
            "a clock to measure neighbours with",
            f"{DOOR}::test_what_an_app_says_is_text_on_the_page_and_chance_is_new_each_time",
        ),
    ),
    (
        "An end in the middle of an answer",
        (
            "tests/e2e/test_faults.py::test_a_killed_web_worker_ends_its_runs_uncharged",
            "tests/e2e/test_faults.py::test_a_killed_runner_costs_its_run_alone",
        ),
    ),
    (
        "Calls that the audit log does not have",
        (
            f"{DOOR}::test_a_hostile_run_ends_in_its_rule_and_the_audit_log_has_it",
            f"{REPLAY}::test_a_run_with_a_file_a_form_and_a_web_page_is_the_same_again",
        ),
    ),
)
