// This script creates elements and sets their text. It never parses database values as HTML.
const data = JSON.parse(document.getElementById('data').textContent);
const matrix = document.getElementById('matrix');
const dialog = document.querySelector('dialog');
const buttons = [...matrix.querySelectorAll('button[data-cell]')];

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// Dialog of a cell or a mutant --------------------------------------------------------------------------------------

const signs = { leaked: '✕', held: '✓', 'not applicable': '–' };

function sent(title, text) {
  return element('div', '', element('h4', '', title), element('pre', '', text));
}

function describeAttempt({ operation, statement, answer, outcome, evidence }) {
  const kind = outcome === 'not applicable' ? 'none' : outcome;
  const parts = [
    element('div', 'verdict', element('span', `cell ${kind}`, signs[outcome]), `${outcome}, ${operation}`),
    ...(evidence ? [element('p', 'evidence', evidence)] : []),
    element('div', 'exchange', sent('Sent', statement), sent('Answer', answer)),
  ];
  return element('div', 'attempt', ...parts);
}

function open(title, about, ...body) {
  document.getElementById('dialog-title').textContent = title;
  document.getElementById('dialog-about').textContent = about;
  const place = dialog.querySelector('.dialog-body');
  place.replaceChildren(...body);
  dialog.showModal();
  dialog.scrollTop = 0;
}

function openCell(index) {
  const { attempts, more } = data.cells[index];
  const [{ table, attack, path }] = attempts;
  const rest = more > 0 ? [element('p', 'quiet', `And ${more.toLocaleString('en')} more that held.`)] : [];
  open(attack, `${table}, ${path}`, ...attempts.map(describeAttempt), ...rest);
}

function openMutant(index) {
  const { kind, object, description, sql, caught, reason } = data.mutants[index];
  const catches = caught.map(({ attack, table, evidence }) =>
    element('div', 'attempt', element('strong', '', `${attack} on ${table}`), element('p', '', evidence)),
  );
  open(
    `${kind}: ${object}`,
    description,
    ...(reason ? [element('p', 'attempt', reason)] : []),
    sent('Applied', sql),
    ...catches,
  );
}

document.addEventListener('click', ({ target }) => {
  const button = target.closest('button');
  if (button?.dataset.cell) openCell(Number(button.dataset.cell));
  else if (button?.dataset.mutant) openMutant(Number(button.dataset.mutant));
  else if (target === dialog) dialog.close();
});

// Filters ----------------------------------------------------------------------------------------------------------

const inputs = ['text', 'table', 'path', 'outcome'].map((name) => document.getElementById(`filter-${name}`));
const [text, table, path, outcome] = inputs;
const columns = [...matrix.querySelectorAll('th.column')].map((heading) => heading.title);

function filter() {
  const wanted = text.value.trim().toLowerCase();
  const matches = (name) => name.toLowerCase().includes(wanted);
  const columnsNamed = columns.some(matches);
  const cellsLeft = new Set();
  let left = 0;
  for (const body of matrix.tBodies) {
    let any = false;
    for (const row of body.rows) {
      if (row.className === 'group') continue;
      let rowLeft = false;
      for (const cell of row.cells) {
        const button = cell.querySelector('button');
        if (!button) continue;
        const name = columns[cell.dataset.column];
        const keep =
          (matches(row.dataset.attack) || (columnsNamed && matches(name))) &&
          (!table.value || name === table.value) &&
          (!path.value || body.dataset.path === path.value) &&
          (!outcome.value || button.dataset.outcome === outcome.value);
        button.classList.toggle('dim', !keep);
        if (!keep) continue;
        rowLeft = true;
        left++;
        cellsLeft.add(cell.dataset.column);
      }
      row.hidden = !rowLeft;
      any ||= rowLeft;
    }
    body.hidden = !any;
  }
  for (const cell of matrix.querySelectorAll('[data-column]')) cell.hidden = !cellsLeft.has(cell.dataset.column);
  const all = left === buttons.length;
  document.getElementById('filter-count').textContent = all
    ? ''
    : `${left.toLocaleString('en')} of ${buttons.length.toLocaleString('en')} cells`;
  reach();
}
for (const input of inputs) input.addEventListener('input', filter);

// Keys: one cell is in the tab order, and arrow keys move between cells ---------------------------------------------

function shown(button) {
  return button && button.offsetParent !== null && !button.classList.contains('dim');
}

function reach(chosen = buttons.find(shown)) {
  for (const button of buttons) button.tabIndex = button === chosen ? 0 : -1;
}
reach();

const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

matrix.addEventListener('keydown', (event) => {
  const step = steps[event.key];
  const from = event.target.closest('td');
  if (!step || !from) return;
  event.preventDefault();
  const rows = [...matrix.rows];
  let [row, column] = [rows.indexOf(from.parentElement), from.cellIndex];
  for (;;) {
    row += step[0];
    column += step[1];
    if (!rows[row] || column < 0 || column > columns.length) return;
    const button = rows[row].cells[column]?.querySelector('button');
    if (!shown(button)) continue;
    reach(button);
    button.focus();
    return;
  }
});
