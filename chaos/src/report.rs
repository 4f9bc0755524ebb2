//! A run as one HTML file: verdict, figures, faults over the commit latency, every round. No script, nothing from elsewhere.

use std::fmt::Write as _;

use crate::book::{Commit, Fate};
use crate::director::Window;
use crate::fault::Realm;
use crate::run::RunRecord;

/// Width of the drawing, in its own units; it scales with the page.
const WIDTH: f64 = 1_200.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 16.0;
const LANE: f64 = 26.0;
const PLOT: f64 = 300.0;
/// Where the latency scale begins and how many powers of ten it has: 1 ms to 100 s.
const DECADES: f64 = 5.0;
/// Columns of the latency chart.
const COLUMNS: usize = 300;

const LANES: [(Realm, &str, &str); 5] = [
    (Realm::Process, "process", "#d9480f"),
    (Realm::Network, "network", "#1971c2"),
    (Realm::Disk, "disk", "#b08900"),
    (Realm::Clock, "clock", "#9c36b5"),
    (Realm::Outside, "outside", "#2b8a3e"),
];

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1c2126;--soft:#5c6770;--line:#d5dadf;--page:#f6f7f8;--card:#fff;--good:#2b8a3e;--bad:#c92a2a;--dot:#364fc7;--span:#91a7ff}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebee;--soft:#9aa5ae;--line:#343b42;--page:#15181b;--card:#1e2226;--good:#69db7c;--bad:#ff8787;--dot:#91a7ff;--span:#4263eb}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1240px;margin:0 auto;padding:28px 20px 60px}h1{font-size:26px;margin:0;letter-spacing:-.01em}h2{font-size:17px;margin:34px 0 10px}
p{margin:4px 0;color:var(--soft)}.verdict{display:inline-block;font-weight:650;padding:3px 12px;border-radius:99px;color:#fff;background:var(--good);margin-bottom:12px}
.verdict.bad{background:var(--bad)}@media(prefers-color-scheme:dark){.verdict{color:#111}}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:22px 0 0}
.tile,.card{background:var(--card);border:1px solid var(--line);border-radius:10px}.tile{padding:12px 14px}.tile b{display:block;font-size:22px;line-height:1.2;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}.card{padding:14px;overflow-x:auto}svg{display:block;width:100%;min-width:720px;height:auto;font:12px system-ui,sans-serif}
svg text{fill:var(--soft)}.grid{stroke:var(--line);stroke-width:1}.span{stroke:var(--span);stroke-width:2.4}.dot{fill:var(--dot)}
.unknown{stroke:#e03131;stroke-width:2}.refused{stroke:#f08c00;stroke-width:2}.island{stroke:#0ca678;stroke-width:2}
table{border-collapse:collapse;width:100%;min-width:520px}th,td{text-align:left;padding:6px 14px 6px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:500;font-size:13px}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
ul.key{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;padding:0;margin:10px 0 0;color:var(--soft);font-size:13px}.key i{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:0;padding:10px 0;border-bottom:1px solid var(--line);font:13px/1.45 ui-monospace,monospace}pre:last-child{border:0}
code{font:13px ui-monospace,monospace}@media(max-width:640px){main{padding:18px 12px 40px}h1{font-size:22px}.tiles{grid-template-columns:1fr 1fr}}
";

/// The whole page.
pub(crate) fn html(record: &RunRecord) -> String {
    let plan = &record.plan;
    let ok = record.verdict.broken.is_empty();
    let (class, word) = if ok {
        ("verdict", "every promise held")
    } else {
        ("verdict bad", "promises broken")
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Chaos, seed {}</title><style>{STYLE}</style></head><body><main>\
         <span class=\"{class}\">{word}</span><h1>Chaos, seed {}</h1>\
         <p>{} nodes at {} sites, profile {}, {} of faults in {} rounds. Again: <code>chaos run --seed {} --minutes {} --nodes {} --profile {}</code></p>",
        plan.seed,
        plan.seed,
        plan.nodes,
        plan.nodes,
        escaped(&plan.profile),
        minutes(record.length_s),
        plan.rounds.as_ref().map_or(0, Vec::len),
        plan.seed,
        plan.minutes,
        plan.nodes,
        escaped(&plan.profile),
    );
    tiles(&mut page, record);
    if !ok {
        page.push_str("<h2>What did not hold</h2><div class=\"card\">");
        for line in &record.verdict.broken {
            put(&mut page, format_args!("<pre>{}</pre>", escaped(line)));
        }
        page.push_str("</div>");
    }
    page.push_str("<h2>Faults over commit latency</h2><div class=\"card\">");
    chart(&mut page, record);
    page.push_str("</div>");
    key(&mut page);
    table(&mut page, &record.windows);
    page.push_str("</main></body></html>\n");
    page
}

fn tiles(page: &mut String, record: &RunRecord) {
    let figures = &record.verdict.figures;
    let mut took: Vec<u64> = record
        .commits
        .iter()
        .filter(|commit| commit.fate == Fate::Replicated)
        .map(|commit| commit.took_us)
        .collect();
    took.sort_unstable();
    let at = |part: f64| {
        let index = (took.len() as f64 * part) as usize;
        let us = took.get(index.min(took.len().saturating_sub(1)));
        us.map_or_else(|| "–".to_owned(), |us| latency(*us))
    };
    let recovery = record.windows.iter().filter_map(|w| w.recovered_s);
    let worst = recovery.fold(0.0, f64::max);
    let islands = format!(
        "alerts accepted, {} by islands",
        figures.accepted_on_islands
    );
    let checked = format!("operations checked, {} without an answer", figures.unknown);
    let tiles = [
        (figures.alerts_accepted.to_string(), islands),
        (figures.operations.to_string(), checked),
        (at(0.5), "median time of a change".to_owned()),
        (at(0.99), "99 % were faster".to_owned()),
        (
            format!("{worst:.1} s"),
            "longest way back to one cluster".to_owned(),
        ),
        (
            figures.texts.to_string(),
            format!("texts received, {} mails", figures.mails),
        ),
    ];
    page.push_str("<div class=\"tiles\">");
    for (figure, about) in tiles {
        put(
            page,
            format_args!("<div class=\"tile\"><b>{figure}</b><span>{about}</span></div>"),
        );
    }
    page.push_str("</div>");
}

fn chart(page: &mut String, record: &RunRecord) {
    let length_s = record.length_s.max(1.0);
    let x = |seconds: f64| LEFT + seconds / length_s * (WIDTH - LEFT - RIGHT);
    let top = LANE * LANES.len() as f64 + 10.0;
    let ticks = top + 22.0;
    let bottom = ticks + 12.0 + PLOT;
    let y = |us: f64| bottom - ((us / 1_000.0).max(1.0).log10() / DECADES).min(1.0) * PLOT;
    let height = bottom + 34.0;
    put(
        page,
        format_args!(
            "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Faults and commit latency over time\">"
        ),
    );
    for (lane, (realm, name, colour)) in LANES.iter().enumerate() {
        let at = lane as f64 * LANE;
        put(
            page,
            format_args!(
                "<text x=\"0\" y=\"{:.1}\">{name}</text><line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
                at + 17.0,
                WIDTH - RIGHT,
                at + LANE,
                at + LANE
            ),
        );
        for window in record
            .windows
            .iter()
            .filter(|w| w.fault.kind.realm() == *realm)
        {
            let (from, to) = (x(window.from_s), x(window.to_s.max(window.from_s)));
            let wide = (to - from).max(2.0);
            put(
                page,
                format_args!(
                    "<rect x=\"{from:.1}\" y=\"{top_of:.1}\" width=\"{wide:.1}\" height=\"18\" rx=\"3\" fill=\"{colour}\"><title>{words}, {:.1} to {:.1} s</title></rect>\
                 <rect x=\"{from:.1}\" y=\"{top}\" width=\"{wide:.1}\" height=\"{:.1}\" fill=\"{colour}\" opacity=\".09\"/>",
                    window.from_s,
                    window.to_s,
                    bottom - top,
                    top_of = at + 4.0,
                    words = escaped(&window.fault.words()),
                ),
            );
        }
    }
    for decade in 0..=5 {
        let at = y(10_f64.powi(decade) * 1_000.0);
        let name = latency(10_u64.pow(decade.unsigned_abs()) * 1_000);
        put(
            page,
            format_args!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                at + 4.0
            ),
        );
    }
    let every = tick(length_s);
    for step in 0..=(length_s / every) as u32 {
        let seconds = every * f64::from(step);
        put(
            page,
            format_args!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                x(seconds).min(WIDTH - 20.0),
                bottom + 20.0,
                clock(seconds)
            ),
        );
    }
    for column in columns(&record.commits, length_s) {
        let at = x(column.seconds);
        if let Some((median, most)) = column.took_us {
            put(
                page,
                format_args!(
                    "<line class=\"span\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/><circle class=\"dot\" cx=\"{at:.1}\" cy=\"{:.1}\" r=\"2\"/>",
                    y(median),
                    y(most),
                    y(median)
                ),
            );
        }
        for (row, (some, class)) in column
            .marks
            .iter()
            .zip(["unknown", "refused", "island"])
            .enumerate()
        {
            if *some {
                let at_y = top + 5.0 + row as f64 * 9.0;
                put(
                    page,
                    format_args!(
                        "<line class=\"{class}\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{at_y:.1}\" y2=\"{:.1}\"/>",
                        at_y + 7.0
                    ),
                );
            }
        }
    }
    page.push_str("</svg>");
}

/// Seconds between marks of the time scale: about ten of them, at round times.
fn tick(length_s: f64) -> f64 {
    let steps = [
        10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0,
    ];
    let fits = steps.into_iter().find(|step| length_s / step <= 11.0);
    fits.unwrap_or(3_600.0)
}

/// One column of the chart.
struct Column {
    seconds: f64,
    /// Median and most of the changes that were replicated.
    took_us: Option<(f64, f64)>,
    /// Whether any was unknown, refused, or accepted by an island.
    marks: [bool; 3],
}

fn columns(commits: &[Commit], length_s: f64) -> Vec<Column> {
    let mut sorted: Vec<(Vec<u64>, [bool; 3])> = vec![Default::default(); COLUMNS];
    for commit in commits {
        let part = commit.asked_us as f64 / 1e6 / length_s;
        let index = ((part * COLUMNS as f64) as usize).min(COLUMNS - 1);
        let (took, marks) = &mut sorted[index];
        match commit.fate {
            Fate::Replicated => took.push(commit.took_us),
            Fate::Unknown => marks[0] = true,
            Fate::Refused => marks[1] = true,
            Fate::Island => marks[2] = true,
        }
    }
    let column = |(index, (mut took, marks)): (usize, (Vec<u64>, _))| {
        took.sort_unstable();
        let median = took.get(took.len() / 2).copied();
        Column {
            seconds: (index as f64 + 0.5) / COLUMNS as f64 * length_s,
            took_us: median
                .zip(took.last().copied())
                .map(|(m, l)| (m as f64, l as f64)),
            marks,
        }
    };
    sorted.into_iter().enumerate().map(column).collect()
}

fn key(page: &mut String) {
    page.push_str("<ul class=\"key\">");
    let marks = [
        (
            "var(--dot)",
            "median of a moment's replicated changes; the line reaches to its slowest",
        ),
        ("#e03131", "outcome unknown"),
        ("#f08c00", "refused: no majority could be reached"),
        ("#0ca678", "accepted by an island"),
    ];
    for (colour, words) in marks {
        put(
            page,
            format_args!("<li><i style=\"background:{colour}\"></i>{words}</li>"),
        );
    }
    page.push_str("</ul>");
}

fn table(page: &mut String, windows: &[Window]) {
    page.push_str("<h2>Every fault</h2><div class=\"card\"><table><tr><th class=\"n\">began</th><th class=\"n\">lasted</th><th>what</th><th class=\"n\">one cluster again</th></tr>");
    for window in windows {
        let recovered = window
            .recovered_s
            .map_or_else(|| "not in time".to_owned(), |s| format!("after {s:.1} s"));
        put(
            page,
            format_args!(
                "<tr><td class=\"n\">{}</td><td class=\"n\">{:.1} s</td><td>{}</td><td class=\"n\">{recovered}</td></tr>",
                clock(window.from_s),
                (window.to_s - window.from_s).max(0.0),
                escaped(&window.fault.words()),
            ),
        );
    }
    page.push_str("</table></div>");
}

fn put(page: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    _ = page.write_fmt(words);
}

fn minutes(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

fn clock(seconds: f64) -> String {
    let whole = seconds as u64;
    format!("{}:{:02}", whole / 60, whole % 60)
}

fn latency(us: u64) -> String {
    match us {
        0..10_000 => format!("{:.3} ms", us as f64 / 1_000.0).replace(".000", ""),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{:.1} s", us as f64 / 1e6).replace(".0", ""),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nodes_said_cannot_become_markup() {
        assert_eq!(escaped("<b>&"), "&lt;b&gt;&amp;");
    }

    #[test]
    fn a_column_holds_the_median_and_the_slowest_and_marks_the_rest() {
        let commit = |asked_us, took_us, fate| Commit {
            asked_us,
            took_us,
            fate,
        };
        let commits = [
            commit(0, 5_000, Fate::Replicated),
            commit(10, 9_000, Fate::Replicated),
            commit(20, 7_000, Fate::Replicated),
            commit(299_000_000, 1, Fate::Unknown),
        ];
        let columns = columns(&commits, 300.0);
        assert_eq!(columns[0].took_us, Some((7_000.0, 9_000.0)));
        assert_eq!(
            (columns[299].took_us, columns[299].marks),
            (None, [true, false, false])
        );
    }

    #[test]
    fn times_read_well() {
        assert_eq!(
            [
                latency(1_000),
                latency(45_000),
                latency(2_500_000),
                latency(10_000_000)
            ],
            ["1 ms", "45 ms", "2.5 s", "10 s"]
        );
    }
}
