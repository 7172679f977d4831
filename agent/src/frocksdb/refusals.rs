//! Libraries that are not quite what the agent knows are refused: the real ones, compared with doctored expectations.
#![allow(unsafe_code, reason = "opens a library")]

use std::process::Command;

use super::build::{Build, RefusedBuild};
use super::known::{KNOWN, KnownBuild};
use super::library::Library;

fn library(known: &KnownBuild) -> Library {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/get_rocksdbjni.sh");
    let output = Command::new(script).arg(known.version).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let path = String::from_utf8(output.stdout).unwrap();
    // SAFETY: the file comes from Flink's distribution.
    unsafe { Library::open(path.trim()) }.unwrap()
}

fn verdict(library: &Library, known: KnownBuild) -> RefusedBuild {
    Build::verify_as(library, Box::leak(Box::new(known))).unwrap_err()
}

fn doctored(known: &KnownBuild, doctor: impl FnOnce(&mut Vec<&'static str>)) -> KnownBuild {
    let mut slots = known.slots.to_vec();
    doctor(&mut slots);
    KnownBuild {
        slots: slots.leak(),
        ..*known
    }
}

#[test]
fn each_build_is_accepted_as_itself_and_as_no_other() {
    for (known, other) in [(KNOWN[0], KNOWN[1]), (KNOWN[1], KNOWN[0])] {
        let library = library(known);
        let build = Build::verify(&library).unwrap();
        assert_eq!(build.version, known.version);
        let refused = verdict(&library, *other);
        let expected = RefusedBuild::MissingSymbol {
            path: library.path().to_owned(),
            symbol: other.vtable,
        };
        assert_eq!(refused, expected);
    }
}

#[test]
fn a_vtable_of_another_size_is_refused() {
    for known in KNOWN {
        let library = library(known);
        for (change, words) in [(-1_isize, -1_isize), (1, 1)] {
            let doctored = doctored(known, |slots| {
                if change < 0 {
                    slots.pop();
                } else {
                    slots.push(known.slots[0]);
                }
            });
            let found = 8 * (2 + known.slots.len());
            let refused = verdict(&library, doctored);
            let expected = RefusedBuild::VtableSize {
                path: library.path().to_owned(),
                version: known.version,
                found,
                expected: found.checked_add_signed(8 * words).unwrap(),
            };
            assert_eq!(refused, expected);
            assert!(refused.to_string().contains(&format!("{found} bytes")));
        }
    }
}

#[test]
fn any_slot_that_holds_another_function_is_refused() {
    for known in KNOWN {
        let library = library(known);
        for slot in 0..known.slots.len() {
            // The linker folds functions of equal code: one with another address is needed.
            let own = library.address(known.slots[slot]);
            let mut others = known.slots.iter().copied();
            let stranger = others.find(|name| library.address(name) != own).unwrap();
            let refused = verdict(&library, doctored(known, |slots| slots[slot] = stranger));
            let expected = RefusedBuild::Slot {
                path: library.path().to_owned(),
                slot,
                symbol: stranger,
            };
            assert_eq!(refused, expected);
        }
    }
}

#[test]
fn a_function_or_a_class_that_is_not_there_is_refused() {
    for known in KNOWN {
        let library = library(known);
        let missing = "_ZTVN7rocksdb14NoSuchLRUCacheE";
        for doctored in [
            KnownBuild {
                vtable: missing,
                ..*known
            },
            KnownBuild {
                control_vtable: missing,
                ..*known
            },
        ] {
            let expected = RefusedBuild::MissingSymbol {
                path: library.path().to_owned(),
                symbol: missing,
            };
            assert_eq!(verdict(&library, doctored), expected);
        }
    }
}

#[test]
fn what_is_no_rocksdb_is_not_looked_at() {
    // SAFETY: the C library, which is loaded anyway.
    let library = unsafe { Library::open("libc.so.6") }.unwrap();
    let refused = Build::verify(&library).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("Java_org_rocksdb_RocksDB_version"),
        "{refused}"
    );
}
