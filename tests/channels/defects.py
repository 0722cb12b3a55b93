"""Twenty defects that systems like this one have had, each with the tests that exclude it here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Defect:
    """What went wrong elsewhere, and the tests, as `file::name`, that would fail if it went wrong here."""

    number: int
    was: str
    tests: tuple[str, ...]


OWN = "channels/test_defects.py::"

DEFECTS = (
    Defect(1, "an exit on several conditions never fires", (f"{OWN}test_an_exit_on_several_conditions_fires_exactly_when_all_hold",)),
    Defect(
        2,
        "what is paused goes on sending",
        (
            "actions/test_stops.py::test_what_is_claimed_when_the_stop_comes_is_not_sent",
            "faults/test_stop_races.py::test_f50_no_intent_is_committed_after_a_stop_it_has_not_seen",
        ),
    ),
    Defect(
        3,
        "due messages are put together: all texts to all customers",
        ("channels/test_wecom_customer.py::test_defect_3_one_call_for_each_step_text_and_colleague_to_those_who_are_due_for_it",),
    ),
    Defect(
        4,
        "a poll for results ignores the customer and the second page",
        ("channels/test_wecom_customer.py::test_defect_4_every_customer_has_a_status_of_their_own_on_all_pages",),
    ),
    Defect(
        5,
        "what belongs to leaving a level is done in one mode of sending only",
        (f"{OWN}test_leaving_does_the_same_whatever_channel_the_flow_speaks_through",),
    ),
    Defect(
        6,
        "the provider's id is written after the call: a crash sends twice",
        (
            "faults/test_crash_schedules.py::test_f01_f02_f03_f04_f05_every_crash_on_sqlite_sends_once_or_parks",
            "actions/test_unknown_outcomes.py::test_a_crash_between_intent_and_outbox_is_found_out_by_looking_into_it",
            "actions/test_sending.py::test_a_touch_is_late_when_nobody_worked_and_the_others_are_sent",
        ),
    ),
    Defect(
        7,
        "a job is published inside the transaction, without a unique key",
        (
            "faults/test_fencing.py::test_f20_hints_doubled_reordered_and_an_hour_late_send_once",
            "actions/test_sending.py::test_a_hint_delivered_twice_or_from_an_earlier_claim_sends_nothing",
        ),
    ),
    Defect(
        8,
        "a request is acknowledged, then processed, and the error is swallowed",
        (
            "console/test_receipt_routes.py::test_while_the_database_is_away_nothing_is_acknowledged",
            "console/test_receipt_routes.py::test_what_is_acknowledged_is_applied_by_the_next_beat_if_the_process_dies",
        ),
    ),
    Defect(
        9,
        "one customer less of a colleague ends every run and rewrites finished ones",
        ("actions/test_wecom.py::test_defect_9_a_customer_who_removes_one_colleague_is_written_to_by_the_other_and_runs_go_on",),
    ),
    Defect(
        10,
        "slots that are over are made for customers who were there before",
        (
            "actions/test_starts.py::test_days_count_from_the_anchor_and_steps_long_past_are_skipped_as_late",
            "actions/test_who_was_there_before.py::test_existing_users_start_at_most_so_many_a_day_and_who_is_too_late_never",
        ),
    ),
    Defect(
        11,
        "day 1 at 11:30 is now and a day and eleven and a half hours",
        ("actions/test_journeys.py::test_the_coupon_of_day_3_comes_at_exactly_ten_local_time_whenever_on_day_0_the_user_joined",),
    ),
    Defect(12, "14:30 becomes 2:30, and day 0 is taken for nothing", (f"{OWN}test_half_past_two_of_the_afternoon_of_day_0_is_it",)),
    Defect(
        13,
        "a job carries what was known when it was made, and is asked nothing again",
        (
            "actions/test_sending.py::test_x_16_an_order_between_claim_and_delivery_is_seen_and_nothing_is_sent",
            "actions/test_sending.py::test_a_refusal_between_claim_and_delivery_is_seen_too",
        ),
    ),
    Defect(
        14,
        "a moment that is over sends at once, outside the hours",
        (
            "faults/test_closed_hours.py::test_f57_after_an_outage_over_closed_hours_nothing_goes_out_inside_them_and_what_waited_is_spread",
            "actions/test_starts.py::test_a_touch_is_late_only_after_its_allowance_and_a_day_counts_to_its_end",
        ),
    ),
    Defect(
        15,
        "quiet hours are read wrongly, and a key holds the time it was made",
        (
            "core/test_local_times.py::test_hours_begin_at_their_first_and_end_before_their_last_minute",
            f"{OWN}test_the_key_of_a_call_is_the_same_whenever_it_is_made",
        ),
    ),
    Defect(16, "a guard the wrong way round finds nobody", (f"{OWN}test_all_who_fit_are_reached_and_nobody_else_also_after_a_change",)),
    Defect(
        17,
        "codes as text are compared with numbers, and a token is never fetched anew",
        ("channels/test_wecom_customer.py::test_defect_17_codes_are_numbers_in_typed_tables_so_a_dead_token_is_replaced",),
    ),
    Defect(
        18,
        "a refused token is fetched again and again, by all at once",
        (
            "channels/test_wecom_customer.py::test_defect_18_a_token_that_is_refused_again_is_fetched_once_and_no_more",
            "store/test_tokens.py::test_while_one_renews_it_the_others_use_the_old_token",
        ),
    ),
    Defect(
        19,
        "two apps of one company overwrite each other's token",
        ("channels/test_wecom_customer.py::test_defect_19_two_apps_of_one_corporation_have_two_tokens",),
    ),
    Defect(
        20,
        "two customers in one second are taken for a repeat",
        (
            "channels/test_wecom_events.py::test_defect_20_two_customers_in_one_second_are_two_and_a_repeat_is_one",
            "console/test_receipt_routes.py::test_two_reports_in_one_second_about_one_user_are_two",
        ),
    ),
)
