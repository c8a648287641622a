use super::*;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn loaded() -> Schedule {
    let mut schedule = Schedule::new(RefreshLimits::default(), false);
    schedule.queue_first();
    let fetch = schedule.begin(at(0)).expect("the first fetch");
    schedule.succeed(fetch, at(0), None);
    schedule
}

fn near(actual: Option<Duration>, expected: u64) {
    let actual = actual.expect("a time");
    let (least, most) = (at(expected) * 9 / 10, at(expected) * 11 / 10);
    assert!(
        (least..=most).contains(&actual),
        "{actual:?} is not near {expected} s"
    );
}

#[test]
fn max_age_is_honoured_between_its_bounds() {
    for (requested, refresh) in [
        (None, 600),
        (Some(0), 60),
        (Some(900), 900),
        (Some(u64::MAX), 3600),
    ] {
        let mut schedule = loaded();
        let fetch = schedule.queue();
        schedule.begin(at(0));
        schedule.succeed(fetch, at(0), requested.map(Duration::from_secs));
        near(schedule.wake_at(), refresh);
    }
}

#[test]
fn pauses_double_to_a_minute_and_a_failed_miss_postpones_nothing() {
    let mut schedule = Schedule::new(RefreshLimits::default(), false);
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        schedule.queue();
        let fetch = schedule.begin(at(1_000_000)).expect("a fetch");
        schedule.next_at = None;
        schedule.fail(fetch, at(0));
        near(schedule.wake_at(), pause);
    }
    schedule.next_at = Some(at(7));
    schedule.queue();
    let fetch = schedule.begin(at(0)).expect("a fetch");
    schedule.fail(fetch, at(0));
    assert_eq!(schedule.wake_at(), Some(at(7)));
}

#[test]
fn a_lazy_schedule_retries_by_misses_alone_until_it_has_loaded() {
    let mut schedule = Schedule::new(RefreshLimits::default(), true);
    schedule.queue_first();
    assert_eq!(schedule.begin(at(0)), None);
    assert!(matches!(
        schedule.without_keys(None, at(0)),
        MissAction::Await(MissTicket { until: 1, .. })
    ));
    let fetch = schedule.begin(at(0)).expect("a fetch");
    schedule.fail(fetch, at(0));
    assert_eq!(schedule.wake_at(), None);
    assert!(
        matches!(schedule.without_keys(None, at(10)), MissAction::Later(rest) if rest == at(20))
    );
    assert!(matches!(
        schedule.without_keys(None, at(30)),
        MissAction::Await(MissTicket { until: 2, .. })
    ));
    schedule.begin(at(30));
    schedule.succeed(2, at(30), None);
    assert!(schedule.wake_at().is_some());
}

#[test]
fn ids_that_strangers_send_are_remembered_in_bounded_space() {
    let mut schedule = loaded();
    for id in 0..5_000 {
        schedule.unknown_id(&id.to_string(), 1, None, at(0));
    }
    assert!(schedule.seen.len() <= MAX_SEEN);
    assert_eq!(schedule.begin(at(0)), Some(2));
    assert_eq!(schedule.begin(at(0)), None);
}

#[test]
fn a_fetch_under_way_is_no_evidence_about_an_id_that_came_later() {
    let mut schedule = loaded();
    schedule.queue();
    assert_eq!(schedule.begin(at(1)), Some(2));
    let MissAction::Await(miss_ticket) = schedule.unknown_id("k", 1, None, at(1)) else {
        panic!("no wait");
    };
    assert_eq!(miss_ticket.until, 3);
    schedule.succeed(2, at(2), None);
    // Having waited for fetch 3, which is still to come, it does not wait for it again.
    assert!(matches!(
        schedule.unknown_id("k", 2, Some(miss_ticket), at(2)),
        MissAction::Later(_)
    ));
    assert_eq!(schedule.begin(at(2)), Some(3));
    schedule.succeed(3, at(3), None);
    assert!(matches!(
        schedule.unknown_id("k", 3, Some(miss_ticket), at(3)),
        MissAction::Unknown
    ));
}

#[test]
fn an_absent_id_is_asked_for_again_when_the_cooldown_is_over() {
    let mut schedule = loaded();
    assert!(matches!(
        schedule.unknown_id("k", 1, None, at(0)),
        MissAction::Await(_)
    ));
    schedule.begin(at(0));
    schedule.succeed(2, at(0), None);
    assert!(matches!(
        schedule.unknown_id("k", 2, None, at(29)),
        MissAction::Unknown
    ));
    let MissAction::Await(miss_ticket) = schedule.unknown_id("k", 2, None, at(30)) else {
        panic!("no wait");
    };
    schedule.begin(at(30));
    schedule.fail(3, at(31));
    assert!(
        matches!(schedule.unknown_id("k", 2, Some(miss_ticket), at(31)), MissAction::Later(rest) if rest == at(29))
    );
}

#[test]
fn tokens_without_an_id_share_one_fetch_and_then_are_told() {
    let mut schedule = loaded();
    let MissAction::Await(miss_ticket) = schedule.no_id(1, None, at(0)) else {
        panic!("no wait");
    };
    assert!(matches!(
        schedule.no_id(1, None, at(0)),
        MissAction::Await(MissTicket { until: 2, .. })
    ));
    schedule.begin(at(0));
    schedule.succeed(2, at(0), None);
    assert!(matches!(
        schedule.no_id(miss_ticket.until, Some(miss_ticket), at(0)),
        MissAction::Unknown
    ));
    assert!(matches!(
        schedule.no_id(1, None, at(29)),
        MissAction::Unknown
    ));
    assert!(matches!(
        schedule.no_id(1, None, at(30)),
        MissAction::Await(_)
    ));
}

#[test]
fn a_fetch_that_the_drop_overtook_does_not_count() {
    let mut schedule = loaded();
    schedule.queue();
    let fetch = schedule.begin(at(1)).expect("a fetch");
    schedule.drop_keys();
    assert!(matches!(
        schedule.without_keys(None, at(1)),
        MissAction::Await(MissTicket { until: 3, .. })
    ));
    assert_eq!(schedule.succeed(fetch, at(1), None), None);
    assert_eq!(schedule.begin(at(1)), Some(3));
    assert!(schedule.succeed(3, at(1), None).is_some());
}

#[test]
fn absurd_limits_overflow_nothing() {
    let limits = RefreshLimits {
        interval: Duration::MAX,
        min: Duration::MAX,
        max: Duration::ZERO,
        cooldown: Duration::MAX,
        ..RefreshLimits::default()
    };
    let mut schedule = Schedule::new(limits, false);
    for max_age in [None, Some(Duration::MAX)] {
        let fetch = schedule.queue();
        schedule.begin(at(1));
        schedule.succeed(fetch, Duration::MAX, max_age);
        schedule.unknown_id("k", fetch, None, at(1));
    }
}
