/**
 * Shapes: descriptions of plain data that check a value at run time and give its type at compile
 * time. What comes from a peer is `unknown` until a shape has looked at it. A shape returns the
 * value it accepts (a copy, where it is a record, so that nothing undeclared slips through) or
 * throws `ShapeError`.
 */
export * from './composite-shapes.ts';
export * from './plain-shapes.ts';
export { isRecord, type Shape, ShapeError, type ShapeType } from './shape.ts';
