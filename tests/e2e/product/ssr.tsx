// The same page as text: what a server that renders React sends first.
import { renderToString } from "react-dom/server";
import type { Options } from "./options";
import { Product } from "./scenes";

export const render = (options: Options) => renderToString(<Product options={options} />);
