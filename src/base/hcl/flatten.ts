import type { HclItem, HclObject, HclValue } from './ast.ts';

/**
 * JSON has no labels: `{"a": {"b": {...}}}` may mean `a "b" { ... }` or `a { b { ... } }`, and a list of objects
 * several blocks `a { ... }`. As in the reference's library, what may be labels becomes labels, at every level:
 * an object that holds objects only, and a list of objects only.
 */
export function flattenObjects(object: HclObject): HclObject {
  const items = object.items.flatMap(flattenItem);
  return { ...object, items: items.map(({ keys, value }) => ({ keys, value: inside(value) })) };
}

function flattenItem(item: HclItem): HclItem[] {
  const { keys, value } = item;
  if (value.kind === 'list' && value.elements.length > 0 && value.elements.every(isObject)) {
    return value.elements.flatMap((element) => flattenItem({ keys, value: element }));
  }
  if (isObject(value) && value.items.length > 0 && value.items.every((it) => isObject(it.value))) {
    return value.items.flatMap((it) =>
      flattenItem({ keys: [...keys, ...it.keys], value: it.value }),
    );
  }
  return [item];
}

const isObject = (value: HclValue): value is HclObject => value.kind === 'object';

function inside(value: HclValue): HclValue {
  if (value.kind === 'object') return flattenObjects(value);
  if (value.kind === 'list') return { ...value, elements: value.elements.map(inside) };
  return value;
}
