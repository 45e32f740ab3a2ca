// What prettier cannot see in the browser's code: `npm run lint`.
import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["static/vendor/", "static/built/", "wampflask/browser/dist/"] },
  js.configs.recommended,
  { languageOptions: { globals: globals.browser } },
  { files: ["tests/js/**"], languageOptions: { globals: globals.nodeBuiltin } },
  {
    rules: {
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-cond-assign": "off", // where a branch looks something up to use it
      "no-shadow": "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "no-var": "error",
      "prefer-const": "error",
    },
  },
];
