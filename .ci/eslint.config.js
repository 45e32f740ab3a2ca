// What prettier cannot see in the browser's code: `npm run lint`.
import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["static/vendor/", "wampflask/browser/dist/"] },
  js.configs.recommended,
  { languageOptions: { globals: globals.browser } },
  { files: ["tests/js/**"], languageOptions: { globals: globals.nodeBuiltin } },
  {
    rules: {
      curly: ["error", "multi-line"],
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-cond-assign": ["error", "except-parens"], // the doubled parentheses say that it is meant
      "no-shadow": "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "no-var": "error",
      "prefer-const": "error",
    },
  },
];
