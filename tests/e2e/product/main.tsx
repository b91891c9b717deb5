import { createRoot, hydrateRoot } from "react-dom/client";
import type { Options } from "./options";
import { Product } from "./scenes";
import "./style.css";

const options: Options = JSON.parse(new URLSearchParams(location.search).get("options")!);
window.told = [];
const root = document.getElementById("root")!;
if (options.ssr) hydrateRoot(root, <Product options={options} />);
else createRoot(root).render(<Product options={options} />);
