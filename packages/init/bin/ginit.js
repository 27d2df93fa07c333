#!/usr/bin/env node
import { form } from '../dist/command/form.js';

const { main } = await import(`../${form(new URL('../', import.meta.url))}/command/main.js`);

process.exitCode = await main(process.argv.slice(2));
