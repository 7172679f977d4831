//! How close the process is to what its container allows: growth that the container cannot hold would end the TaskManager.
//!
//! Read from cgroup v2, else v1, else from the machine. The working set is the kernel's count less the files it could drop at once,
//! as Kubernetes reckons when it evicts.

use std::path::{Path, PathBuf};

use weir_protocol::ContainerMemory;

/// Part of the limit that is kept free: what threads, JIT and the allocator take without asking.
const KEPT_FREE: f64 = 0.03;

/// What the container, or else the machine, allows and what of it is in use; `None` where neither can be read.
#[must_use]
pub fn read() -> Option<ContainerMemory> {
    read_under(Path::new("/"))
}

/// Why memory must not grow by `growth_bytes` now, if so.
pub fn refuse_growth(memory: &ContainerMemory, growth_bytes: u64) -> Result<(), String> {
    if growth_bytes == 0 {
        return Ok(());
    }
    let usable = (memory.limit_bytes as f64 * (1.0 - KEPT_FREE)) as u64;
    let then = memory.working_set_bytes.saturating_add(growth_bytes);
    if then <= usable {
        return Ok(());
    }
    Err(format!(
        "{} of {} bytes of memory are in use, and {growth_bytes} more would leave less than 3 % free; shrink something or raise the container's limit",
        memory.working_set_bytes, memory.limit_bytes
    ))
}

fn read_under(root: &Path) -> Option<ContainerMemory> {
    let machine = machine(root)?;
    let own = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    // Of all that bound it, the tightest counts.
    let groups = own.lines().filter_map(|line| group(root, line));
    Some(groups.fold(machine, |tightest, group| {
        let free =
            |memory: &ContainerMemory| memory.limit_bytes.saturating_sub(memory.working_set_bytes);
        if free(&group) < free(&tightest) {
            group
        } else {
            tightest
        }
    }))
}

/// The limit of one line of `/proc/self/cgroup`: `0::/path` of version 2, `N:memory:/path` of version 1. `None` if it sets none.
fn group(root: &Path, line: &str) -> Option<ContainerMemory> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let (mount, limit, usage, inactive) = if controllers.is_empty() {
        (
            "sys/fs/cgroup",
            "memory.max",
            "memory.current",
            "inactive_file",
        )
    } else if controllers.split(',').any(|one| one == "memory") {
        let (limit, usage) = ("memory.limit_in_bytes", "memory.usage_in_bytes");
        ("sys/fs/cgroup/memory", limit, usage, "total_inactive_file")
    } else {
        return None;
    };
    let mount = root.join(mount);
    // Inside a container the path is often the host's, and the container's own group is mounted at the top.
    let named: PathBuf = mount.join(path.trim_start_matches('/'));
    let directory = [named, mount]
        .into_iter()
        .find(|directory| directory.join(limit).exists())?;
    let limit_bytes = number(&directory.join(limit))?;
    let usage_bytes = number(&directory.join(usage))?;
    let statistics = std::fs::read_to_string(directory.join("memory.stat")).unwrap_or_default();
    let droppable = statistics
        .lines()
        .find_map(|line| line.strip_prefix(inactive)?.trim().parse::<u64>().ok());
    Some(ContainerMemory {
        limit_bytes,
        working_set_bytes: usage_bytes.saturating_sub(droppable.unwrap_or(0)),
    })
}

fn machine(root: &Path) -> Option<ContainerMemory> {
    let text = std::fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let kib = |name: &str| -> Option<u64> {
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        value.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    let total = kib("MemTotal")? * 1024;
    Some(ContainerMemory {
        limit_bytes: total,
        working_set_bytes: total.saturating_sub(kib("MemAvailable")? * 1024),
    })
}

/// A file with one number; `None` also for `max`.
fn number(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let file = root.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:    6000000 kB\n",
    );

    #[test]
    fn a_container_of_version_2_is_read_by_its_path_or_at_the_top() {
        for directory in ["sys/fs/cgroup/pod/tm", "sys/fs/cgroup"] {
            let [max, current, stat] =
                ["memory.max", "memory.current", "memory.stat"].map(|f| format!("{directory}/{f}"));
            let root = root(&[
                MEMINFO,
                ("proc/self/cgroup", "0::/pod/tm\n"),
                (&max, "1000000\n"),
                (&current, "700000\n"),
                (&stat, "anon 5\ninactive_file 200000\nactive_file 9\n"),
            ]);
            let expected = ContainerMemory {
                limit_bytes: 1_000_000,
                working_set_bytes: 500_000,
            };
            assert_eq!(read_under(root.path()), Some(expected), "{directory}");
        }
    }

    #[test]
    fn a_container_of_version_1_is_read_too() {
        let root = root(&[
            MEMINFO,
            ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/x\n"),
            ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "3000\n"),
            ("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "2500\n"),
            (
                "sys/fs/cgroup/memory/x/memory.stat",
                "inactive_file 1\ntotal_inactive_file 500\n",
            ),
        ]);
        let expected = ContainerMemory {
            limit_bytes: 3000,
            working_set_bytes: 2000,
        };
        assert_eq!(read_under(root.path()), Some(expected));
    }

    #[test]
    fn without_a_limit_the_machine_is_the_limit() {
        let root = root(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "max\n"),
            ("sys/fs/cgroup/memory.current", "5\n"),
        ]);
        let expected = ContainerMemory {
            limit_bytes: 16_000_000 * 1024,
            working_set_bytes: 10_000_000 * 1024,
        };
        assert_eq!(read_under(root.path()), Some(expected));
        assert!(read().is_some(), "this machine can be read");
    }

    #[test]
    fn growth_stops_short_of_the_limit_and_shrinking_never_does() {
        let memory = ContainerMemory {
            limit_bytes: 1000,
            working_set_bytes: 900,
        };
        assert!(refuse_growth(&memory, 70).is_ok());
        let reason = refuse_growth(&memory, 71).unwrap_err();
        assert!(reason.contains("900 of 1000"), "{reason}");
        let full = ContainerMemory {
            working_set_bytes: 2000,
            ..memory
        };
        assert!(refuse_growth(&full, 0).is_ok());
    }
}
