/**
 * Where app.js finds the modules of behaviours: in this folder. A bundle (.ci/assets.js) has a
 * table of its area's modules in this module's place.
 */
export const load = (name) => import(`./${name}.js`);
