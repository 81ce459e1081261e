import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { outboxErrorCodes } from '../../src/errors.js';

const root = join(import.meta.dirname, '..', '..');
const pages = ['README.md', 'CONTRIBUTING.md', ...documents('docs'), ...documents('examples')];

function documents(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.md')).map((file) => join(folder, file));
}

function linksOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8').replace(/```[\s\S]*?```/g, '');
  return [...text.matchAll(/\]\(([^)#\s]+)/g)]
    .map(([, target]) => target as string)
    .filter((to) => !to.includes('://'));
}

describe('the documentation', () => {
  it.each(pages)('%s links to files that exist', (page) => {
    const missing = linksOf(page).filter((target) => !existsSync(join(root, dirname(page), target)));
    expect(missing).toEqual([]);
  });

  it('explains every error code', () => {
    const text = readFileSync(join(root, 'docs/errors.md'), 'utf8');
    expect(outboxErrorCodes.filter((code) => !text.includes(`| \`${code}\``))).toEqual([]);
  });
});
