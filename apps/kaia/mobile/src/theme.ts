import { useColorScheme } from 'react-native';

const light = {
  ground: '#ffffff',
  raised: '#f1f1f6',
  ink: '#18181f',
  faint: '#55555f',
  line: '#85858f',
  accent: '#4338ca',
  onAccent: '#ffffff',
  alert: '#a11212',
  notice: '#fdf0cf',
};

export type Colours = typeof light;

const dark: Colours = {
  ground: '#121217',
  raised: '#1f1f28',
  ink: '#f3f3f7',
  faint: '#b4b4c0',
  line: '#7f7f8c',
  accent: '#b4b0ff',
  onAccent: '#17123f',
  alert: '#ffb4ab',
  notice: '#3d3213',
};

export function useColours(): Colours {
  return useColorScheme() === 'dark' ? dark : light;
}
