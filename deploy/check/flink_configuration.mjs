// Prints the keys that FlinkDeployments set for Flink, one file for each manifest: flink_configuration.mjs OUT_FOLDER MANIFEST.yaml...
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseAllDocuments } from "yaml";

const [folder, ...manifests] = process.argv.slice(2);
if (!folder || manifests.length === 0) {
  console.error("usage: flink_configuration.mjs OUT_FOLDER MANIFEST.yaml...");
  process.exit(64);
}
for (const file of manifests) {
  const documents = parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS());
  const deployment = documents.find((manifest) => manifest?.kind === "FlinkDeployment");
  if (!deployment) continue;
  const lines = Object.entries(deployment.spec.flinkConfiguration).map(([key, value]) => `${key}: ${value}\n`);
  writeFileSync(join(folder, basename(file)), lines.join(""));
}
