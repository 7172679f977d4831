// Parses Dockerfiles and refuses what Docker would refuse or warn of: dockerfile.mjs DOCKERFILE...
import { readFileSync } from "node:fs";
import { validate } from "dockerfile-utils";

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: dockerfile.mjs DOCKERFILE...");
  process.exit(64);
}
let faults = 0;
for (const file of files) {
  for (const { range, message } of validate(readFileSync(file, "utf8"))) {
    console.error(`${file}:${range.start.line + 1}: ${message}`);
    faults += 1;
  }
}
console.log(`${files.length} Dockerfiles parsed, ${faults} faults`);
process.exit(faults > 0 ? 1 : 0);
