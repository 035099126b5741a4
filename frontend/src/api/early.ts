/** What a screen shows first is asked for by the document itself, while its scripts are still on
 * their way; whoever wants it later takes that answer. Only in a browser where somebody was signed
 * in: anywhere else the first question is who is there. */

const KNOWN = "known";

declare global {
  interface Window {
    early?: Partial<Record<string, Promise<Response>>>;
  }
}

/** The paths must be, letter by letter, those that `api` asks for. */
export const EARLY_SCRIPT = `(()=>{try{if(localStorage.getItem("${KNOWN}")===null)return}catch{return}
document.documentElement.dataset.known="";
const asked=new URLSearchParams(location.search);
const given=asked.get("window"),id=asked.get("id");
const means="/averages?window="+(["48h","7d","30d"].includes(given)?given:"24h");
const all=means+"&limit=20000",one=id&&means+"&"+new URLSearchParams({q:id});
const screen={"/":all,"/sensors":all,"/gaps":all,"/compare":all,"/sensor":one}[location.pathname];
window.early={};
for(const path of ["/session","/plant",screen]){
if(!path)continue;
window.early[path]=fetch("/api/v1"+path);
window.early[path].catch(()=>{})}})()`;

/** Once each: what is asked for again is asked anew. */
export function takeEarly(path: string): Promise<Response> | undefined {
  const found = window.early?.[path];
  if (found) delete window.early?.[path];
  return found;
}

/** Whether the next load of the page may begin as somebody who is signed in. */
export function remember(signedIn: boolean): void {
  if (signedIn) localStorage.setItem(KNOWN, "");
  else localStorage.removeItem(KNOWN);
}
