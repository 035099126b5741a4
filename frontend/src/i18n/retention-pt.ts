import type { retentionEn } from "./retention-en";

export const retentionPt: typeof retentionEn = {
  retention: "Retenção",
  keptForEver: "As leituras brutas são guardadas para sempre.",
  keptDays: "São guardadas as leituras brutas dos últimos {days} dias.",
  keptSetBy: "Definido por {name}.",
  refusedBefore: "Uma leitura anterior a {time} é recusada.",
  onlyMeansBefore: "Antes de {time} restam só médias, contagens e cobertura.",
  keepDays: "Guardar leituras brutas por dias",
  keepDaysHelp: "No mínimo 31. Vazio: para sempre.",
  forEver: "para sempre",
  seeWhatGoes: "Ver o que sairia…",
  retentionChanged: "Está definido.",
  keepForEver: "Guardar leituras brutas para sempre",
  keepOnly: "Guardar leituras brutas por {days} dias",
  keepForEverHelp: "Nada mais é descartado. O que foi descartado não volta.",
  readingsThatGo: "Leituras que saem",
  fromTo: "De {span}",
  dropHelp:
    "Médias, contagens e cobertura ficam. Leituras mais antigas são recusadas já e descartadas em um dia: até lá isto pode ser desfeito.",
  leaveAsIs: "Deixar como está",
  setIt: "Definir",
  setAndDrop: "Definir e descartar {count} leituras",
  setAndDropOne: "Definir e descartar 1 leitura",
};
