// Holds Kubernetes manifests against schemas: check.mjs FLINK_CRD.yml MANIFEST.yaml... Unknown fields are errors: Kubernetes would drop them silently.
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";
import ts from "typescript";
import { parse, parseAllDocuments } from "yaml";

const [crdFile, ...manifests] = process.argv.slice(2);
if (!crdFile || manifests.length === 0) {
  console.error("usage: check.mjs FLINK_CRD.yml MANIFEST.yaml...");
  process.exit(64);
}

/** Packages of types by `apiVersion`. */
const types = {
  v1: "kubernetes-models/v1",
  "apps/v1": "kubernetes-models/apps/v1",
  "networking.k8s.io/v1": "kubernetes-models/networking.k8s.io/v1",
  "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
};

const flinkDeployment = flinkSchema(crdFile);
let failures = 0;
let checked = 0;
for (const file of manifests) {
  for (const document of parseAllDocuments(readFileSync(file, "utf8"), { uniqueKeys: true })) {
    const manifest = document.toJS();
    const name = `${file}: ${manifest?.kind} ${manifest?.metadata?.name}`;
    const faults = document.errors.length > 0 ? document.errors.map(String) : faultsOf(manifest);
    checked += 1;
    failures += faults.length > 0 ? 1 : 0;
    for (const fault of faults) console.error(`${name}: ${fault}`);
  }
}
console.log(`${checked} manifests checked, ${failures} with faults`);
process.exit(failures > 0 ? 1 : 0);

/** What is wrong with one manifest. */
function faultsOf(manifest) {
  if (manifest?.apiVersion === "flink.apache.org/v1beta1" && manifest.kind === "FlinkDeployment") {
    const { apiVersion, kind, metadata, ...rest } = manifest;
    if (flinkDeployment(rest)) return [];
    return flinkDeployment.errors.map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
  }
  const from = types[manifest?.apiVersion];
  return from ? typeFaults(manifest, from) : [`no types for ${manifest?.apiVersion}`];
}

/** What the TypeScript compiler says about the manifest as a literal of its type: literals may have no field that the type lacks. */
function typeFaults(manifest, from) {
  const type = `I${manifest.kind}`;
  const name = new URL("manifest.ts", import.meta.url).pathname;
  const text = `import type { ${type} } from "${from}";\nexport const manifest: ${type} = ${JSON.stringify(manifest, null, 2)};\n`;
  const options = { noEmit: true, strict: true, skipLibCheck: true, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.getSourceFile = (file, ...rest) => (file === name ? ts.createSourceFile(file, text, options.target ?? ts.ScriptTarget.ES2022) : getSourceFile(file, ...rest));
  host.fileExists = (file) => file === name || fileExists(file);
  const program = ts.createProgram([name], options, host);
  return ts.getPreEmitDiagnostics(program).map((d) => ts.flattenDiagnosticMessageText(d.messageText, " "));
}

/** The Flink operator's schema, closed: a field that it does not list is refused. */
function flinkSchema(file) {
  const versions = parse(readFileSync(file, "utf8")).spec.versions;
  const schema = versions.find((v) => v.name === "v1beta1").schema.openAPIV3Schema;
  return new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(closed(schema));
}

function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== "object") return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  if (copy.properties && !copy.additionalProperties && !copy["x-kubernetes-preserve-unknown-fields"]) copy.additionalProperties = false;
  if (copy["x-kubernetes-int-or-string"]) copy.type = ["integer", "string"];
  return copy;
}
