#!/usr/bin/env python3
"""Says which third-party crates are linked into Weir's binaries: NOTICE, licence texts and a CycloneDX bill of materials.

Reads what `cargo metadata` knows; only dependencies that end up in a binary count, neither build scripts' nor tests'. The Java parts bundle nothing.
"""
import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

TARGET = "x86_64-unknown-linux-gnu"
# Files of others in this repository that end up in a binary: name, version, licence, home, licence text.
FILES = [("uPlot", "1.6.32", "MIT", "https://github.com/leeoniya/uPlot", Path("controller/src/page/assets/uPlot.LICENSE"))]
LICENCE_FILE = re.compile(r"^(licen[cs]e|copying|notice|unlicense)", re.IGNORECASE)


def linked(metadata, roots):
    """Packages that are reached from `roots` over normal dependencies, by id."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    waiting = [i for i, package in packages.items() if package["name"] in roots and package["source"] is None]
    if len(waiting) != len(roots):
        sys.exit(f"not every one of {sorted(roots)} is a crate of this workspace")
    seen = set(waiting)
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            package = packages[dependency["pkg"]]
            normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            # A procedural macro runs in the compiler; nothing of it is in the binary.
            macro = any("proc-macro" in target["kind"] for target in package["targets"])
            if normal and not macro and package["id"] not in seen:
                seen.add(package["id"])
                waiting.append(package["id"])
    return {i: packages[i] for i in seen}, nodes


def component(package):
    """A crate as the bill of materials names it."""
    made = Component(
        type=ComponentType.LIBRARY,
        name=package["name"],
        version=package["version"],
        bom_ref=package["id"],
        purl=PackageURL("cargo", None, package["name"], package["version"]),
        licenses=[LicenseFactory().make_from_string(package["license"].replace("/", " OR "))] if package["license"] else [],
    )
    if package["repository"]:
        made.external_references.add(ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(package["repository"])))
    return made


def bill_of_materials(packages, nodes, version):
    """A CycloneDX document."""
    bom = Bom()
    bom.metadata.component = Component(type=ComponentType.APPLICATION, name="weir", version=version, bom_ref="weir")
    components = {i: component(package) for i, package in packages.items()}
    for one in components.values():
        bom.components.add(one)
    for name, release, licence, home, _ in FILES:
        file = Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=release,
            purl=PackageURL("npm", None, name.lower(), release),
            licenses=[LicenseFactory().make_from_string(licence)],
        )
        file.external_references.add(ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(home)))
        bom.components.add(file)
    own = [components[i] for i, package in packages.items() if package["source"] is None]
    bom.register_dependency(bom.metadata.component, own)
    for i, one in components.items():
        bom.register_dependency(one, [components[d] for d in nodes[i]["dependencies"] if d in components])
    return JsonV1Dot6(bom).output_as_string(indent=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for NOTICE, licenses/ and sbom.cdx.json")
    parser.add_argument("crates", nargs="+", help="crates whose binaries are packed")
    arguments = parser.parse_args()
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    packages, nodes = linked(metadata, set(arguments.crates))
    foreign = sorted((p for p in packages.values() if p["source"] is not None), key=lambda p: (p["name"], p["version"]))
    version = next(p["version"] for p in packages.values() if p["source"] is None)

    lines = [
        "Weir",
        "",
        "Its binaries contain these parts, each under its own licence; the texts are in licenses/.",
        "",
    ]
    for package in foreign:
        name = f"{package['name']}-{package['version']}"
        folder = Path(package["manifest_path"]).parent
        texts = [f for f in folder.iterdir() if f.is_file() and LICENCE_FILE.match(f.name)]
        for text in texts:
            (arguments.out / "licenses" / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(text, arguments.out / "licenses" / name / text.name)
        lines.append(f"{name}: {package['license'] or 'see licenses/'}, {package['repository'] or 'no repository named'}")
    for name, release, licence, home, text in FILES:
        folder = arguments.out / "licenses" / f"{name}-{release}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(text, folder / "LICENSE")
        lines.append(f"{name}-{release}: {licence}, {home}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "NOTICE").write_text("\n".join(lines) + "\n")
    (arguments.out / "sbom.cdx.json").write_text(bill_of_materials(packages, nodes, version) + "\n")
    print(f"{len(foreign) + len(FILES)} bundled parts")


if __name__ == "__main__":
    main()
