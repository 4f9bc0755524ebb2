//! A schedule as requests and answers write it.

use domain::CivilTime;
use domain::oncall::{FixedShift, Layer, Rotation, Schedule, Window};
use domain::zones::{WallTime, Zone};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fields::Fields;
use crate::time::parse_rfc3339;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A schedule without the key, which stands in the path.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleBody {
    #[schema(example = "Network")]
    name: String,
    /// IANA name of the zone of every local time in it.
    #[schema(example = "Europe/Helsinki")]
    zone: String,
    /// The upper one first: it wins where it covers, the rest falls through.
    #[serde(default)]
    layers: Vec<LayerBody>,
    /// Shifts written down one by one; they win over all layers where they cover.
    #[serde(default)]
    fixed: Vec<FixedBody>,
}

/// People taking turns.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LayerBody {
    #[schema(example = "Week")]
    name: String,
    /// `hourly`, `daily`, `weekly` or `custom`.
    #[schema(example = "weekly")]
    rotation: String,
    /// Every so many hours, days or weeks.
    #[serde(default = "one")]
    #[schema(default = 1)]
    every: u16,
    /// For `custom`: the lengths of the shifts in minutes, one after the other, then from the front again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lengths_min: Vec<u32>,
    /// Local time at which the first shift begins; its time of day is that of every handover.
    #[schema(example = "2026-11-23T08:00")]
    start: String,
    /// Local time at which the last shift ends, if ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// Keys of people, turn by turn; those of one turn are on call together.
    #[schema(example = json!([["anna"], ["bela", "carl"]]))]
    turns: Vec<Vec<String>>,
    /// When in the week the layer counts; empty: always.
    #[serde(default)]
    windows: Vec<WindowBody>,
}

/// A time of day on some days of the week.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowBody {
    /// Days on which it begins: `mon` to `sun`.
    #[schema(example = json!(["mon", "tue"]))]
    days: Vec<String>,
    #[schema(example = "08:00")]
    from: String,
    /// Not later than `from`: on the next day. `24:00` is the end of the day.
    #[schema(example = "16:00")]
    to: String,
}

/// One shift written down by itself.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FixedBody {
    /// Local time.
    #[schema(example = "2026-12-24T08:00")]
    from: String,
    /// Local time.
    #[schema(example = "2026-12-25T08:00")]
    to: String,
    /// Key of the person.
    person: String,
    /// The shift's name in the calendar it came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    uid: String,
}

fn one() -> u16 {
    1
}

/// Checks what can be checked without looking anything up, naming every mistake.
pub(super) fn parse(fields: &mut Fields, key: String, body: ScheduleBody) -> Option<Schedule> {
    let layers: Vec<Option<Layer>> = body
        .layers
        .into_iter()
        .enumerate()
        .map(|(index, layer)| parse_layer(fields, &format!("/layers/{index}"), layer))
        .collect();
    let fixed: Vec<Option<FixedShift>> = body
        .fixed
        .into_iter()
        .enumerate()
        .map(|(index, shift)| parse_fixed(fields, &format!("/fixed/{index}"), shift))
        .collect();
    let schedule = Schedule {
        key,
        name: body.name,
        zone: body.zone,
        layers: layers.into_iter().collect::<Option<_>>()?,
        fixed: fixed.into_iter().collect::<Option<_>>()?,
    };
    fields.take("", domain::oncall::check_schedule(&schedule))?;
    Some(schedule)
}

fn parse_layer(fields: &mut Fields, at: &str, body: LayerBody) -> Option<Layer> {
    let rotation = match body.rotation.as_str() {
        "hourly" => Some(Rotation::Hourly(body.every)),
        "daily" => Some(Rotation::Daily(body.every)),
        "weekly" => Some(Rotation::Weekly(body.every)),
        "custom" => Some(Rotation::Custom(body.lengths_min)),
        other => {
            let shown: String = other.chars().take(40).collect();
            fields.add(
                format!("{at}/rotation"),
                format!("{shown:?} is not known; write hourly, daily, weekly or custom"),
            );
            None
        }
    };
    let start = fields.take(format!("{at}/start"), WallTime::parse(&body.start));
    let until = match body.until {
        Some(until) => fields
            .take(format!("{at}/until"), WallTime::parse(&until))
            .map(Some),
        None => Some(None),
    };
    let windows: Vec<Option<Window>> = body
        .windows
        .into_iter()
        .enumerate()
        .map(|(index, window)| parse_window(fields, &format!("{at}/windows/{index}"), &window))
        .collect();
    Some(Layer {
        name: body.name,
        rotation: rotation?,
        start: start?,
        until: until?,
        turns: body.turns,
        windows: windows.into_iter().collect::<Option<_>>()?,
    })
}

fn parse_window(fields: &mut Fields, at: &str, body: &WindowBody) -> Option<Window> {
    let mut days = Vec::with_capacity(body.days.len());
    for (index, name) in body.days.iter().enumerate() {
        let day = DAYS.iter().zip(0_u8..).find(|(day, _)| *day == name);
        match day {
            Some((_, day)) => days.push(day),
            None => fields.add(
                format!("{at}/days/{index}"),
                format!("is not a day; write one of {}", DAYS.join(", ")),
            ),
        }
    }
    let from = fields.take(format!("{at}/from"), minute_of_day(&body.from));
    let to = fields.take(format!("{at}/to"), minute_of_day(&body.to));
    Some(Window {
        days,
        from: from?,
        to: to?,
    })
}

fn parse_fixed(fields: &mut Fields, at: &str, body: FixedBody) -> Option<FixedShift> {
    let from = fields.take(format!("{at}/from"), WallTime::parse(&body.from));
    let to = fields.take(format!("{at}/to"), WallTime::parse(&body.to));
    Some(FixedShift {
        from: from?,
        to: to?,
        person: body.person,
        uid: body.uid,
    })
}

/// Reads `08:00`, up to `24:00`.
fn minute_of_day(text: &str) -> Result<u16, String> {
    let two = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let read = text.split_once(':').and_then(|(hours, minutes)| {
        let (hours, minutes) = (two(hours)?, two(minutes)?);
        let minute = hours * 60 + minutes;
        (minutes < 60 && minute <= 1_440).then_some(minute)
    });
    read.ok_or_else(|| {
        let shown: String = text.chars().take(20).collect();
        format!("{shown:?} is not a time of day; write it as 08:00")
    })
}

/// A time that somebody writes for a schedule: on its wall, or with an offset. `is_end` keeps the minute a time with
/// seconds ends in.
pub(super) fn parse_wall(text: &str, zone: &Zone, is_end: bool) -> Result<WallTime, String> {
    if let Ok(wall) = WallTime::parse(text) {
        return Ok(wall);
    }
    let civil = parse_rfc3339(text).map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        format!(
            "{shown:?} is not a time; write local time as 2026-11-23T08:00, or 2026-11-23T06:00:00Z"
        )
    })?;
    let last_ms = if is_end { 59_999 } else { 0 };
    Ok(zone.wall(CivilTime(civil.0.saturating_add(last_ms))))
}

impl ScheduleBody {
    /// As a request would write it.
    pub(super) fn of(schedule: Schedule) -> Self {
        Self {
            name: schedule.name,
            zone: schedule.zone,
            layers: schedule.layers.into_iter().map(LayerBody::of).collect(),
            fixed: schedule.fixed.into_iter().map(FixedBody::of).collect(),
        }
    }
}

impl LayerBody {
    fn of(layer: Layer) -> Self {
        let (rotation, every, lengths_min) = match layer.rotation {
            Rotation::Hourly(every) => ("hourly", every, Vec::new()),
            Rotation::Daily(every) => ("daily", every, Vec::new()),
            Rotation::Weekly(every) => ("weekly", every, Vec::new()),
            Rotation::Custom(lengths) => ("custom", 1, lengths),
        };
        let windows = layer.windows.into_iter().map(|window| WindowBody {
            days: window
                .days
                .into_iter()
                .filter_map(|day| DAYS.get(usize::from(day)).map(|day| (*day).to_owned()))
                .collect(),
            from: hh_mm(window.from),
            to: hh_mm(window.to),
        });
        Self {
            name: layer.name,
            rotation: rotation.to_owned(),
            every,
            lengths_min,
            start: layer.start.to_string(),
            until: layer.until.map(|until| until.to_string()),
            turns: layer.turns,
            windows: windows.collect(),
        }
    }
}

impl FixedBody {
    pub(super) fn of(shift: FixedShift) -> Self {
        Self {
            from: shift.from.to_string(),
            to: shift.to.to_string(),
            person: shift.person,
            uid: shift.uid,
        }
    }
}

fn hh_mm(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parsed(body: Value) -> Result<Schedule, String> {
        let body: ScheduleBody = serde_json::from_value(body).map_err(|e| e.to_string())?;
        let mut fields = Fields::default();
        let schedule = parse(&mut fields, "network".to_owned(), body);
        schedule.ok_or_else(|| format!("{:?}", fields.into_problem()))
    }

    fn whole() -> Value {
        json!({
            "name": "Network", "zone": "Europe/Helsinki",
            "layers": [
                {"name": "Day", "rotation": "daily", "every": 2, "start": "2026-11-23T08:00", "until": "2027-01-01T00:00",
                 "turns": [["anna"], ["bela", "carl"]], "windows": [{"days": ["mon", "sun"], "from": "08:00", "to": "24:00"}]},
                {"name": "Rest", "rotation": "custom", "every": 1, "lengths_min": [5760, 4320],
                 "start": "2026-11-23T08:00", "turns": [["anna"]], "windows": []},
            ],
            "fixed": [{"from": "2026-12-24T08:00", "to": "2026-12-25T08:00", "person": "anna"}],
        })
    }

    #[test]
    fn a_schedule_is_shown_as_it_was_written() {
        let schedule = parsed(whole()).unwrap();
        assert_eq!(json!(ScheduleBody::of(schedule)), whole());
    }

    #[test]
    fn every_mistake_is_named_at_its_place() {
        let mut body = whole();
        body["layers"][0]["rotation"] = json!("monthly");
        body["layers"][0]["windows"][0] = json!({"days": ["monday"], "from": "8", "to": "25:00"});
        body["layers"][1]["start"] = json!("2026-11-23");
        body["fixed"][0]["to"] = json!("2026-13-24T08:00");
        let problem = parsed(body).unwrap_err();
        for place in [
            "#/layers/0/rotation",
            "#/layers/0/windows/0/days/0",
            "#/layers/0/windows/0/from",
            "#/layers/0/windows/0/to",
            "#/layers/1/start",
            "#/fixed/0/to",
        ] {
            assert!(problem.contains(place), "{place} in {problem}");
        }
    }
}
