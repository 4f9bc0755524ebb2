//! What the starter pack promises.

use std::collections::BTreeSet;

use super::super::{Policy, check, hints};
use super::{languages, pack};
use crate::texts::{self, GatherText, Marks, PageText};
use crate::vocabulary::Status;

#[test]
fn every_scenario_is_sound_in_every_choice_of_languages() {
    let [fi, sv, en] = languages();
    for languages in [&[fi, sv, en][..], &[fi], &[sv], &[en], &[sv, fi]] {
        let pack = pack(languages);
        assert_eq!(pack.len(), 10);
        for template in &pack {
            assert_eq!(check(template, &Policy::default()), [], "{}", template.key);
            assert_eq!(template.texts.len(), languages.len());
        }
    }
    for template in pack(&languages()) {
        let hints = hints(&template, &languages());
        assert_eq!(
            hints.len(),
            1,
            "whom to call is left to each raise: {hints:?}"
        );
        assert_eq!(template.fallback, "en");
    }
}

#[test]
fn checklists_have_substance_and_an_owner_for_every_item() {
    for template in pack(&languages()) {
        let items = &template.checklist;
        assert!(
            (8..=12).contains(&items.len()),
            "{}: {}",
            template.key,
            items.len()
        );
        let said: BTreeSet<&String> = items.iter().flat_map(|item| item.text.values()).collect();
        assert_eq!(said.len(), items.len() * 3, "{}: said twice", template.key);
        let roles: BTreeSet<_> = items.iter().map(|item| &item.owner).collect();
        assert!(roles.len() >= 4, "{}: spread the work", template.key);
    }
}

/// With an organisation of usual length, alert numbers of four digits, and as an exercise as well.
#[test]
fn every_text_fits_one_part_of_gsm_7_bit() {
    let nothing = super::super::ByLanguage::new();
    for template in pack(&languages()) {
        let fill = super::super::Fill::examples(&template, &nothing);
        for language in languages() {
            for status in [Status::Actual, Status::Exercise] {
                let text = fill.text(&template.texts[language.tag()], language.tag());
                let page = texts::page(PageText {
                    language,
                    organisation: "Aurora Energy Norden",
                    status,
                    severity: template.severity,
                    number: "1118",
                    text: &text,
                    gather: &texts::gather(language, GatherText::default()),
                    kind: template.conduct.kind,
                    answers: &template.answers,
                    high_assurance: false,
                });
                let marks = Marks {
                    language,
                    ..Marks::default()
                };
                let sent = texts::finish(&page, "4711", &marks);
                let measure = texts::measure(&sent);
                assert!(
                    measure.gsm7,
                    "{} {:?}: {sent}",
                    template.key, measure.forcing
                );
                let over = sent.chars().count().saturating_sub(160);
                assert_eq!(measure.parts, 1, "{} by {over}: {sent}", template.key);
            }
        }
    }
}
