/** Before the first paint, so that a dark screen does not flash. */
export const THEME_SCRIPT = `(()=>{let t=null;try{t=localStorage.getItem("theme")}catch{}
const d=t==="dark"||(t!=="light"&&matchMedia("(prefers-color-scheme: dark)").matches);
document.documentElement.dataset.theme=d?"dark":"light"})()`;
