// Templates in JavaScript: modules of Node.js and of browsers, and one script of Node.js.

const named = (...names) => Object.fromEntries(names.map((name) => [name, "readonly"]));

const everywhere = named(
  "console",
  "crypto",
  "fetch",
  "performance",
  "setTimeout",
  "TextDecoder",
  "URL",
  "URLSearchParams",
);

export default [
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    languageOptions: {
      ecmaVersion: 2022,
      globals: { ...everywhere, ...named("document", "location", "navigator", "process") },
    },
    rules: {
      "array-callback-return": "error",
      curly: "error",
      eqeqeq: "error",
      "no-shadow": "error",
      "no-undef": "error",
      "no-unreachable": "error",
      "no-unused-vars": "error",
      "no-use-before-define": ["error", { functions: false }],
      "no-var": "error",
      "prefer-const": "error",
    },
  },
  {
    files: ["**/*.js"],
    languageOptions: { sourceType: "commonjs", globals: named("__dirname") },
  },
];
