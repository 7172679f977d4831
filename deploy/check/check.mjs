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
  "rbac.authorization.k8s.io/v1": "kubernetes-models/rbac.authorization.k8s.io/v1",
  "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
};

const flinkDeployment = flinkSchema(crdFile);
/** Every manifest with its faults so far. */
const entries = manifests.flatMap((file) =>
  parseAllDocuments(readFileSync(file, "utf8"), { uniqueKeys: true }).map((document) => {
    const manifest = document.toJS();
    const name = `${file}: ${manifest?.kind} ${manifest?.metadata?.name}`;
    return { name, manifest, faults: document.errors.map(String) };
  }),
);
const typed = [];
for (const entry of entries.filter((e) => e.faults.length === 0)) {
  const { apiVersion, kind, metadata, ...rest } = entry.manifest ?? {};
  if (apiVersion === "flink.apache.org/v1beta1" && kind === "FlinkDeployment") {
    if (!flinkDeployment(rest)) {
      entry.faults = flinkDeployment.errors.map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
    }
  } else if (types[apiVersion]) typed.push(entry);
  else entry.faults = [`no types for ${apiVersion} ${kind}`];
}
checkTypes(typed);
checkRights(entries);

const faulty = entries.filter((entry) => entry.faults.length > 0);
for (const { name, faults } of faulty) for (const fault of faults) console.error(`${name}: ${fault}`);
console.log(`${entries.length} manifests checked, ${faulty.length} with faults`);
process.exit(faulty.length > 0 || entries.length === 0 ? 1 : 0);

/** Asks the TypeScript compiler about every manifest as a literal of its type: a literal may have no field that the type lacks. */
function checkTypes(entries) {
  const sources = new Map(
    entries.map(({ manifest }, i) => {
      const type = `I${manifest.kind}`;
      const head = `import type { ${type} } from "${types[manifest.apiVersion]}";\n`;
      const text = `${head}export const manifest: ${type} = ${JSON.stringify(manifest, null, 2)};\n`;
      return [new URL(`manifest-${i}.ts`, import.meta.url).pathname, text];
    }),
  );
  const node = ts.ModuleKind.NodeNext;
  const options = { noEmit: true, strict: true, skipLibCheck: true, module: node, moduleResolution: ts.ModuleResolutionKind.NodeNext, types: [] };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (file) => sources.has(file) || fileExists(file);
  host.getSourceFile = (file, version, ...rest) =>
    sources.has(file) ? ts.createSourceFile(file, sources.get(file), version) : getSourceFile(file, version, ...rest);
  const program = ts.createProgram([...sources.keys()], options, host);
  [...sources.keys()].forEach((file, i) => {
    const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(file));
    entries[i].faults = found.map((d) => ts.flattenDiagnosticMessageText(d.messageText, " "));
  });
}

/** Rights are named one by one and given to accounts that exist; a pod whose account has none gets no token. */
function checkRights(entries) {
  const of = (kind) => entries.filter(({ manifest }) => manifest?.kind === kind);
  const accounts = new Map(of("ServiceAccount").map(({ manifest }) => [manifest.metadata.name, manifest]));
  const bound = new Set();
  for (const entry of [...of("Role"), ...of("ClusterRole")]) {
    if (entry.manifest.kind === "ClusterRole") entry.faults.push("rights over the whole cluster are not needed: use a Role");
    for (const { apiGroups, resources, verbs } of entry.manifest.rules ?? []) {
      if ([apiGroups, resources, verbs].flat().includes("*")) entry.faults.push(`a rule for ${resources} has a '*': name what is needed`);
    }
  }
  for (const entry of of("RoleBinding")) {
    const roles = of(entry.manifest.roleRef?.kind).map(({ manifest }) => manifest.metadata.name);
    if (!roles.includes(entry.manifest.roleRef?.name)) entry.faults.push(`there is no role ${entry.manifest.roleRef?.name}`);
    for (const { name } of entry.manifest.subjects ?? []) {
      bound.add(name);
      if (!accounts.has(name)) entry.faults.push(`there is no account ${name}`);
    }
  }
  // Experiments are applied beside the other manifests, which have the accounts.
  if (accounts.size === 0) return;
  const users = [
    ...of("Deployment").map((entry) => [entry, entry.manifest.spec.template.spec.serviceAccountName]),
    ...of("FlinkDeployment").map((entry) => [entry, entry.manifest.spec.serviceAccount]),
    ...of("FlinkDeployment").map((entry) => [entry, entry.manifest.spec.flinkConfiguration?.["kubernetes.taskmanager.service-account"]]),
  ];
  for (const [entry, name] of users) {
    if (name === undefined) continue;
    if (!accounts.has(name)) entry.faults.push(`there is no account ${name}`);
    else if (!bound.has(name) && accounts.get(name).automountServiceAccountToken !== false) {
      entry.faults.push(`the account ${name} has no rights but a token: set automountServiceAccountToken to false`);
    }
  }
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
